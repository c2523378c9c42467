{{- /* Not empty when there is an auth server. */ -}}
{{- define "dppctl.hasAuth" -}}
{{- if ne .Values.auth.mode "none" -}}yes{{- end -}}
{{- end -}}

{{- /* Not empty when it reads the file of tokens. */ -}}
{{- define "dppctl.authHasTokens" -}}
{{- if or .Values.runs.enabled (eq .Values.auth.mode "token") -}}yes{{- end -}}
{{- end -}}

{{- /* Not empty when its database is a file on a volume. */ -}}
{{- define "dppctl.authVolume" -}}
{{- if and .Values.auth.persistence.enabled (not .Values.auth.database.existingSecret) -}}yes{{- end -}}
{{- end -}}

{{- define "dppctl.checkAuth" -}}
{{- with .Values.auth -}}
{{- if eq .mode "oauth" -}}
{{- if not (or .github.clientId .google.clientId .oidc.clientId) -}}
{{- fail "auth.mode: is oauth, which needs auth.github.clientId, auth.google.clientId or auth.oidc.clientId" -}}
{{- end -}}
{{- if not (hasPrefix "https://" $.Values.publicUrl) -}}
{{- fail "publicUrl: must be https://HOST with auth.mode oauth: providers send people back there, and browsers keep a login for https alone" -}}
{{- end -}}
{{- if not (or .admins .users .organizations .domains $.Values.public.enabled) -}}
{{- fail "auth.mode: is oauth, and nobody would get in: set auth.admins, auth.users, auth.organizations or auth.domains" -}}
{{- end -}}
{{- end -}}
{{- if and .oidc.clientId (not .oidc.metadataUrl) -}}
{{- fail "auth.oidc.metadataUrl: is not set; it is the provider's https://…/.well-known/openid-configuration" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.continuousDeployment.enabled .Values.ingress.enabled .Values.runs.enabled .Values.runs.proxy.ingress.enabled (ne .Values.ingress.host .Values.runs.proxy.ingress.host) -}}
{{- fail (printf "runs.proxy.ingress.host: is %s, and ingress.host is %s; with auth.mode %s they must be the same, as a login is for one host" .Values.runs.proxy.ingress.host .Values.ingress.host .Values.auth.mode) -}}
{{- end -}}
{{- include "dppctl.checkPublicHost" . -}}
{{- end -}}

{{- /* An Ingress whose pages would answer to another host than it has. */ -}}
{{- define "dppctl.checkPublicHost" -}}
{{- $host := (include "dppctl.publicIngress" . | fromYaml).host -}}
{{- if and $host (ne $host (index (splitList ":" (get (urlParse .Values.publicUrl) "host")) 0)) -}}
{{- fail (printf "publicUrl: is %s, and the Ingress is for %s; with auth.mode %s it must be https://%s" (default "not set" .Values.publicUrl) $host .Values.auth.mode $host) -}}
{{- end -}}
{{- end -}}

{{- /* The Ingress by which people reach pages, auth and usage; {} when there is none. */ -}}
{{- define "dppctl.publicIngress" -}}
{{- if and .Values.continuousDeployment.enabled .Values.ingress.enabled -}}
{{ pick .Values.ingress "host" "className" "annotations" "tlsSecret" | toYaml }}
{{- else if and .Values.runs.enabled .Values.runs.proxy.ingress.enabled -}}
{{ pick .Values.runs.proxy.ingress "host" "className" "annotations" "tlsSecret" | toYaml }}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- /* What asks the auth server is told of it: variables, a file, its volume. */ -}}
{{- define "dppctl.authEnv" -}}
- name: DPPCTL_AUTH_MODE
  value: {{ .Values.auth.mode | quote }}
- name: DPPCTL_AUTH_URL
  value: "http://{{ include "dppctl.fullname" . }}-auth"
- name: DPPCTL_AUTH_SERVICE_TOKEN_FILE
  value: /etc/dppctl-auth/auth-service-token
{{- end -}}

{{- define "dppctl.authMount" -}}
- name: auth-keys
  mountPath: /etc/dppctl-auth
  readOnly: true
{{- end -}}

{{- define "dppctl.authKeys" -}}
- name: auth-keys
  secret:
    secretName: {{ .Values.existingSecret | quote }}
    items:
      - key: auth-service-token
        path: auth-service-token
{{- end -}}
