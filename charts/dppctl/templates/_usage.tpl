{{- /* Not empty when there is a usage server. */ -}}
{{- define "dppctl.hasUsage" -}}
{{- if .Values.usage.enabled -}}
{{- if not .Values.runs.enabled -}}
{{- fail "usage.enabled: is for runs; set runs.enabled too" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}

{{- /* Not empty when its database is a file on a volume. */ -}}
{{- define "dppctl.usageVolume" -}}
{{- if and .Values.usage.persistence.enabled (not .Values.usage.database.existingSecret) -}}yes{{- end -}}
{{- end -}}

{{- /* Proxy and usage server know each other by these: variables, a file each, their volume. */ -}}
{{- define "dppctl.usageEnv" -}}
- name: DPPCTL_USAGE_TOKEN_FILE
  value: /etc/dppctl-usage/usage-token
- name: DPPCTL_PROXY_SERVICE_TOKEN_FILE
  value: /etc/dppctl-usage/proxy-service-token
{{- end -}}

{{- define "dppctl.usageMount" -}}
- name: usage-keys
  mountPath: /etc/dppctl-usage
  readOnly: true
{{- end -}}

{{- define "dppctl.usageKeys" -}}
- name: usage-keys
  secret:
    secretName: {{ .Values.existingSecret | quote }}
    items:
      - key: usage-token
        path: usage-token
      - key: proxy-service-token
        path: proxy-service-token
{{- end -}}
