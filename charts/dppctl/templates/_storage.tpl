{{- /* Not empty when there is a publisher. */ -}}
{{- define "dppctl.hasStorage" -}}
{{- if .Values.storage.enabled -}}
{{- if not .Values.runs.enabled -}}
{{- fail "storage.enabled: is for runs; set runs.enabled too" -}}
{{- end -}}
{{- if and (ne .Values.storage.engine "none") (not (include "dppctl.storageUrl" .)) -}}
{{- fail "storage.url: how people reach what is published, such as https://data.example.org; set it, or storage.ingress.enabled" -}}
{{- end -}}
{{- if and (eq .Values.storage.engine "bucket") (not .Values.storage.bucket.path) -}}
{{- fail "storage.bucket.path: name the bucket, and maybe a folder in it: my-bucket/data" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}

{{- /* How people reach what is published, without a slash at the end. */ -}}
{{- define "dppctl.storageUrl" -}}
{{- with .Values.storage -}}
{{- if .url -}}
{{ trimSuffix "/" .url }}
{{- else if and .ingress.enabled .serverEnabled -}}
{{ if .ingress.tlsSecret }}https{{ else }}http{{ end }}://{{ .ingress.host }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Not empty when there is a storage server. */ -}}
{{- define "dppctl.hasStorageServer" -}}
{{- if and (include "dppctl.hasStorage" .) .Values.storage.serverEnabled (ne .Values.storage.engine "none") -}}yes{{- end -}}
{{- end -}}

{{- define "dppctl.storageClaim" -}}
{{ .Values.storage.volume.existingClaim | default (printf "%s-storage" (include "dppctl.fullname" .)) }}
{{- end -}}

{{- /* Who asks the publisher: variables, a file, its volume. */ -}}
{{- define "dppctl.publisherEnv" -}}
- name: DPPCTL_PUBLISHER_URL
  value: "http://{{ include "dppctl.fullname" . }}-publisher"
- name: DPPCTL_PUBLISHER_TOKEN_FILE
  value: /etc/dppctl-publisher/publisher-token
{{- with include "dppctl.storageUrl" . }}
- name: DPPCTL_STORAGE_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "dppctl.publisherMount" -}}
- name: publisher-keys
  mountPath: /etc/dppctl-publisher
  readOnly: true
{{- end -}}

{{- define "dppctl.publisherKeys" -}}
- name: publisher-keys
  secret:
    secretName: {{ .Values.existingSecret | quote }}
    items:
      - key: publisher-token
        path: publisher-token
{{- end -}}

{{- /* A volume that one node can mount at a time: the storage server is put where the publisher is. */ -}}
{{- define "dppctl.storageAffinity" -}}
{{- if and (eq .Values.storage.engine "volume") (not .Values.affinity) (not (has "ReadWriteMany" .Values.storage.volume.accessModes)) -}}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "dppctl.selector" (dict "root" $ "component" "publisher") | nindent 12 }}
{{- end -}}
{{- end -}}
