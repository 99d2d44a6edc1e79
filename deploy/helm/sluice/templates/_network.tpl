{{/* Annotations of what comes before each install and upgrade. Takes its weight. */}}
{{- define "sluice.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Takes the root. */}}
{{- define "sluice.dns" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- with .Values.networkPolicy.dnsTo }}
  to: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Where pods may connect to: DNS, the credentials of EKS Pod Identity, and the ports of the values. */}}
{{- define "sluice.egress" -}}
{{- include "sluice.dns" . }}
{{- if .Values.aws.podIdentity }}
- ports: [{port: 80, protocol: TCP}]
  to: [{ipBlock: {cidr: 169.254.170.23/32}}, {ipBlock: {cidr: "fd00:ec2::23/128"}}]
{{- end }}
{{- with .Values.networkPolicy }}
{{- if .egressPorts }}
- ports:
    {{- range .egressPorts }}
    - {port: {{ . | int }}, protocol: TCP}
    {{- end }}
  {{- with .egressTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Who may read metrics: Prometheus. Takes a list: the root, the port. */}}
{{- define "sluice.metricsRule" -}}
- ports: [{port: {{ index . 1 | int }}, protocol: TCP}]
  from:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ (index . 0).Values.networkPolicy.metricsNamespace | quote }}}
{{- end -}}
