{{/* Names and labels. */}}

{{- define "sluice.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sluice.fullname" -}}
{{- $name := include "sluice.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* Takes a list: the root, the component. */}}
{{- define "sluice.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "sluice.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 | quote }}
{{- end -}}

{{/* Takes a list: the root, the component. */}}
{{- define "sluice.labels" -}}
{{- $root := index . 0 -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ include "sluice.version" $root | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of pods: nothing that changes without a reason to restart them. */}}
{{- define "sluice.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ include "sluice.version" $root | quote }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The tag, as far as a label may have it. */}}
{{- define "sluice.version" -}}
{{- regexReplaceAll "^[^A-Za-z0-9]+|[^A-Za-z0-9]+$" (.Values.image.tag | default .Chart.AppVersion | trunc 63) "" -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A topology with what `enrich` has for all. Takes a list: the root, the topology. */}}
{{- define "sluice.topology" -}}
{{- $root := index . 0 -}}
{{- toYaml (mustMergeOverwrite (deepCopy $root.Values.enrich) (deepCopy (index . 1))) -}}
{{- end -}}

{{/* Whether the chart makes a Secret with a key: `true` or nothing. */}}
{{- define "sluice.createsKey" -}}
{{- $config := include "sluice.givenConfig" . | fromYaml -}}
{{- $hasOthers := or $config.keys $config.jwt -}}
{{- if not .Values.key.existingSecret -}}
{{- if kindIs "invalid" .Values.key.create }}{{ if not $hasOthers }}true{{ end }}{{ else if .Values.key.create }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the key for all streams; empty where there is none. */}}
{{- define "sluice.keySecret" -}}
{{- if .Values.key.existingSecret -}}
{{ .Values.key.existingSecret }}
{{- else if include "sluice.createsKey" . -}}
{{ include "sluice.fullname" . }}-key
{{- end -}}
{{- end -}}
