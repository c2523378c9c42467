{{/* NAME-SUFFIX of at most MAX characters: a long release's name is cut, and told apart by a hash. (list $ suffix max) */}}
{{- define "pipelines.name" -}}
{{- $release := (index . 0).Release.Name -}}
{{- $suffix := index . 1 -}}
{{- $room := sub (index . 2) (add1 (len $suffix)) | int -}}
{{- if gt (len $release) $room -}}
{{- printf "%s-%s-%s" ($release | trunc (int (sub $room 7)) | trimSuffix "-") (sha256sum $release | trunc 6) $suffix -}}
{{- else -}}
{{- printf "%s-%s" $release $suffix -}}
{{- end -}}
{{- end -}}

{{/* Services are names of hosts: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names */}}
{{- define "pipelines.checkService" -}}
{{- if regexMatch "^[0-9]" .Release.Name -}}
{{- fail (printf "the release's name %s begins with a digit, and a Service's name must not: install it under another name, such as app-%s" .Release.Name .Release.Name) -}}
{{- end -}}
{{- end -}}

{{- define "pipelines.database" -}}{{ include "pipelines.name" (list . "database" 52) }}{{- end -}}
{{- /* The database that runs write to; cluster/next_database names it the same way. */}}
{{- define "pipelines.nextDatabase" -}}{{ .Values.database.name | trunc 54 }}_next{{- end -}}
{{- define "pipelines.volume" -}}{{ .Values.storage.volume.existingClaim | default (include "pipelines.name" (list . "storage" 63)) }}{{- end -}}

{{/* The same as a label's value, of at most 63 characters; a claim's name may have more. */}}
{{- define "pipelines.volumeLabel" -}}
{{- $name := include "pipelines.volume" . -}}
{{- if gt (len $name) 63 -}}
{{- printf "%s-%s" ($name | trunc 50 | trimSuffix "-" | trimSuffix ".") (sha256sum $name | trunc 12) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* The first 12 digits of the image's digest. Without an image there is nothing to render. */}}
{{- define "pipelines.digest" -}}
{{- if not .Values.image -}}
{{- fail "image is not set: on Kubernetes an app needs an image. Set DPPCTL_REGISTRY for dppctl's bot, which then builds one and writes it into values.auto-updated.yaml" -}}
{{- end -}}
{{- regexFind "[0-9a-f]{64}$" (toString .Values.image) | trunc 12 -}}
{{- end -}}

{{/* What pods and selectors carry: it stays the same when the chart's version changes. (list $ component) */}}
{{- define "pipelines.podLabels" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name | quote }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 | quote }}
{{- end -}}

{{/* What objects carry. (list $ component) */}}
{{- define "pipelines.labels" -}}
{{ include "pipelines.podLabels" . }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service | quote }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end -}}

{{/* The major version that an image's tag begins with; empty: the tag says none, or there is only a digest. */}}
{{- define "pipelines.postgresMajor" -}}
{{- regexReplaceAll "^.*:([0-9]+)([.-][^/:]*)?$" (regexReplaceAll "@.*$" . "") "major ${1}" | regexFind "^major [0-9]+$" | trimPrefix "major " -}}
{{- end -}}
