{{/*
The configuration of Sluice, made of `config`. Helpers give YAML; callers use `fromYaml`.
*/}}

{{/* `config` as it was given, a map or text. */}}
{{- define "sluice.givenConfig" -}}
{{- $given := .Values.config | default dict -}}
{{- $config := ternary $given (toYaml $given) (kindIs "string" $given) | fromYaml -}}
{{- with $config.Error }}{{ fail (printf "config is not a map in YAML: %s" .) }}{{ end -}}
{{- range $section := list "ingress" "enrich" "metrics" "kafka" "kinesis" "s3" "firehose" "neo4j" "lookups" -}}
  {{- $value := get $config $section -}}
  {{- if not (or (kindIs "map" $value) (empty $value)) -}}
    {{- fail (printf "config.%s is %s: expected a map" $section (kindOf $value)) -}}
  {{- end -}}
{{- end -}}
{{- range $section := list "streams" "keys" "jwt" -}}
  {{- $value := get $config $section | default list -}}
  {{- range ternary $value (list $value) (kindIs "slice" $value) -}}
    {{- if not (kindIs "map" .) }}{{ fail (printf "config.%s: expected a list of maps" $section) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A path of the configuration, in the pod. Takes a list: the root, the path. */}}
{{- define "sluice.place" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}
{{- if or (hasPrefix "/" $path) (hasPrefix "${" $path) -}}
{{ $path }}
{{- else -}}
{{ printf "%s/%s" (trimSuffix "/" $root.Values.folder) (trimPrefix "./" $path) }}
{{- end -}}
{{- end -}}

{{/*
What all services have: `config` with absolute paths and addresses that other pods reach. Metrics
are bound to the address of the pod.
*/}}
{{- define "sluice.config" -}}
{{- $root := . -}}
{{- $config := include "sluice.givenConfig" . | fromYaml -}}
{{- $streams := list -}}
{{- range $config.streams -}}
  {{- $stream := . -}}
  {{- with .schema }}{{ $_ := set $stream "schema" (include "sluice.place" (list $root .)) }}{{ end -}}
  {{- $streams = append $streams $stream -}}
{{- end -}}
{{- $_ := set $config "streams" $streams -}}
{{- range $config.jwt -}}
  {{- $issuer := . -}}
  {{- with .jwks_file }}{{ $_ := set $issuer "jwks_file" (include "sluice.place" (list $root .)) }}{{ end -}}
{{- end -}}
{{- $ingress := $config.ingress | default dict -}}
{{- with $ingress.address_secret_file -}}
  {{- $_ := set $ingress "address_secret_file" (include "sluice.place" (list $root .)) -}}
{{- end -}}
{{- $_ := set $ingress "host" ($ingress.host | default "0.0.0.0") -}}
{{- $_ := set $ingress "port" (include "sluice.ingestPort" . | int) -}}
{{- $_ := set $config "ingress" $ingress -}}
{{- $enrich := $config.enrich | default dict -}}
{{- $_ := set $enrich "host" ($enrich.host | default "0.0.0.0") -}}
{{- $_ := set $enrich "port" (include "sluice.enrichPort" . | int) -}}
{{- $state := $enrich.state | default dict -}}
{{- if and (eq (toString $state.backend) "disk") (not $state.folder) -}}
  {{- $_ := set $state "folder" "/var/lib/sluice/state" -}}
{{- end -}}
{{- $_ := set $config "enrich" $enrich -}}
{{- $metrics := $config.metrics | default dict -}}
{{- $_ := set $metrics "host" ($metrics.host | default "${POD_IP}") -}}
{{- $_ := set $config "metrics" $metrics -}}
{{- with $config.neo4j -}}
  {{- $neo4j := . -}}
  {{- with .password_file }}{{ $_ := set $neo4j "password_file" (include "sluice.place" (list $root .)) }}{{ end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Of ingest and the Job of topics: without what neither reads. */}}
{{- define "sluice.ingestConfig" -}}
{{- $unread := list "topologies" "local" "enrich" "lookups" "firehose" "neo4j" -}}
{{- $config := include "sluice.config" . | fromYaml -}}
{{- range $unread }}{{ $_ := unset $config . }}{{ end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Takes a list: the root, a topology. */}}
{{- define "sluice.enrichConfig" -}}
{{- $root := index . 0 -}}{{- $topology := index . 1 -}}
{{- $config := omit (include "sluice.config" $root | fromYaml) "local" -}}
{{- $_ := set $config "topologies" (list (include "sluice.place" (list $root $topology.file))) -}}
{{- toYaml $config -}}
{{- end -}}

{{/*
Digest of what a service takes over at a start only, so that a change of it rolls its pods. Ingest
takes over keys, issuers, quotas and origins while it runs. That one of the sections is gone is
refused there, so it counts here. Takes a configuration.
*/}}
{{- define "sluice.rollsOn" -}}
{{- $config := omit . "keys" "jwt" -}}
{{- $streams := list -}}
{{- range .streams }}{{ $streams = append $streams (omit . "quota") }}{{ end -}}
{{- $_ := set $config "streams" $streams -}}
{{- with .ingress -}}
  {{- $_ := set $config "ingress" (omit . "origins" "address_requests_per_second" "address_burst") -}}
{{- end -}}
{{- $_ := set $config "closedBy" (list (gt (len (.keys | default list)) 0) (gt (len (.jwt | default list)) 0)) -}}
{{- toJson $config | sha256sum -}}
{{- end -}}

{{/*
Settings that are secrets (`writeOnly` in the table of settings), each with its value: a map by path.
A configuration is a ConfigMap, so none of them may have its value in the text.
*/}}
{{- define "sluice.secrets" -}}
{{- $config := include "sluice.givenConfig" . | fromYaml -}}
{{- $secrets := dict -}}
{{- range $section, $name := dict "neo4j" "password" "ingress" "address_secret" -}}
  {{- with get (get $config $section | default dict) $name }}{{ $_ := set $secrets (printf "%s.%s" $section $name) (toString .) }}{{ end -}}
{{- end -}}
{{- range $lookup, $settings := ternary $config.lookups dict (kindIs "map" $config.lookups) -}}
  {{- $headers := ternary $settings dict (kindIs "map" $settings) | dig "headers" dict -}}
  {{- range $header, $value := ternary $headers dict (kindIs "map" $headers) -}}
    {{- $_ := set $secrets (printf "lookups.%s.headers.%s" $lookup $header) (toString $value) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* Ports are in the pods' specifications, so they must be known here. */}}
{{- define "sluice.port" -}}
{{- $path := index . 0 -}}{{- $given := index . 1 -}}{{- $default := index . 2 -}}
{{- if kindIs "invalid" $given -}}
{{ $default }}
{{- else if kindIs "string" $given -}}
{{ fail (printf "config.%s is '%s': expected a number, as the pods have it as their port" $path $given) }}
{{- else if or (lt (int $given) 1024) (gt (int $given) 65535) -}}
{{ fail (printf "config.%s is %v: expected 1024 to 65535; pods are not root, and have a fixed port" $path $given) }}
{{- else -}}
{{ int $given }}
{{- end -}}
{{- end -}}

{{- define "sluice.ingestPort" -}}
{{- $section := (include "sluice.givenConfig" . | fromYaml).ingress | default dict -}}
{{- include "sluice.port" (list "ingress.port" $section.port 8080) -}}
{{- end -}}

{{- define "sluice.enrichPort" -}}
{{- $section := (include "sluice.givenConfig" . | fromYaml).enrich | default dict -}}
{{- include "sluice.port" (list "enrich.port" $section.port 8081) -}}
{{- end -}}

{{/* Takes a list: the root, the port that the service has by default. */}}
{{- define "sluice.metricsPort" -}}
{{- $section := (include "sluice.givenConfig" (index . 0) | fromYaml).metrics | default dict -}}
{{- include "sluice.port" (list "metrics.port" $section.port (index . 1)) -}}
{{- end -}}
