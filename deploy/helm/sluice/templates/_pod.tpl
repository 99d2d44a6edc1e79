{{/* What the pods of all services have. */}}

{{- define "sluice.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sluice.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Takes a dict: root, service (ingest, enrich or topics), extraEnv. */}}
{{- define "sluice.env" -}}
{{- $root := .root -}}
- name: SLUICE_CONFIG
  value: /etc/sluice-config/sluice.yaml
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- with $root.Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with get $root.Values.aws.kafkaRoleArns .service }}
- name: KAFKA_ROLE_ARN
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := $root.Values.environment }}
- name: {{ $name | quote }}
  value: {{ $value | quote }}
{{- end }}
{{- with concat $root.Values.extraEnv .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes the root. */}}
{{- define "sluice.mounts" -}}
- {name: config, mountPath: /etc/sluice-config, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- range $index, $files := .Values.files }}
- name: files-{{ $index }}
  mountPath: {{ printf "%s/%s" (trimSuffix "/" $.Values.folder) $files.folder | quote }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Takes a list: the root, the ConfigMap of the configuration. */}}
{{- define "sluice.volumes" -}}
- name: config
  configMap: {name: {{ index . 1 | quote }}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- range $index, $files := (index . 0).Values.files }}
- name: files-{{ $index }}
  {{- if $files.configMap }}
  configMap: {name: {{ $files.configMap | quote }}}
  {{- else }}
  secret: {secretName: {{ $files.secret | quote }}}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where pods run. Takes the values of a service. */}}
{{- define "sluice.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A claim for /var/lib/sluice. Takes a list: its labels, `size` and `storageClass`. */}}
{{- define "sluice.claim" -}}
metadata:
  name: data
  labels: {{- index . 0 | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with (index . 1).storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources: {requests: {storage: {{ (index . 1).size | quote }}}}
{{- end -}}
