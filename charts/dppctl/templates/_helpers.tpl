{{- define "dppctl.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Called with (dict "root" $ "component" NAME), as all below. */ -}}
{{- define "dppctl.name" -}}
{{ include "dppctl.fullname" .root }}-{{ .component }}
{{- end -}}

{{- define "dppctl.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end -}}

{{- define "dppctl.labels" -}}
{{ include "dppctl.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "dppctl.metadata" -}}
name: {{ include "dppctl.name" . | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "dppctl.labels" . | nindent 2 }}
{{- end -}}

{{- define "dppctl.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "dppctl.podMetadata" -}}
labels:
  {{- include "dppctl.labels" . | nindent 2 }}
{{- if or .root.Values.podAnnotations (not .port) }}
annotations:
  {{- if not .port }}
  dppctl.io/apps: {{ toJson .root.Values.apps | sha256sum }}
  {{- end }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* What all pods share; `user`: another than dppctl's. */ -}}
{{- define "dppctl.pod" -}}
serviceAccountName: {{ include "dppctl.name" . | quote }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 1000 | int64 }}
  runAsGroup: {{ .user | default 1000 | int64 }}
  fsGroup: {{ .user | default 1000 | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "dppctl.container" -}}
name: {{ .component | quote }}
image: {{ include "dppctl.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy | quote }}
terminationMessagePolicy: FallbackToLogsOnError # init says the last line of one that ends
{{ include "dppctl.restricted" . }}
ports:
  - name: http
    containerPort: {{ .port | default 8080 | int64 }}
    protocol: TCP
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
startupProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
{{- end -}}

{{- define "dppctl.restricted" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop:
      - ALL
{{- end -}}

{{- /* A variable of a container, from the one Secret: (dict "root" $ "variable" NAME "key" KEY). */ -}}
{{- define "dppctl.secret" -}}
- name: {{ .variable | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.existingSecret | quote }}
      key: {{ .key | quote }}
{{- end -}}

{{- define "dppctl.commonEnv" -}}
- name: DPPCTL_HOST
  value: 0.0.0.0
- name: DPPCTL_PORT
  value: "8080"
- name: DPPCTL_DEPLOYED_BY
  value: {{ .root.Values.deployedBy | quote }}
{{- with .root.Values.publicUrl }}
- name: DPPCTL_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{ include "dppctl.secret" (dict "root" .root "variable" "DPPCTL_SYNC_TOKEN" "key" "sync-token") }}
{{- end -}}

{{- define "dppctl.gitEnv" -}}
- name: DPPCTL_GITHUB_URL
  value: {{ .root.Values.github.url | quote }}
{{- with .root.Values.github.sshUrl }}
- name: DPPCTL_GITHUB_SSH_URL
  value: {{ . | quote }}
{{- end }}
{{- with .root.Values.github.hostKeys }}
- name: DPPCTL_GITHUB_HOST_KEYS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .root.Values.github.caConfigMap }}
- name: DPPCTL_GITHUB_CA
  value: /etc/dppctl-github-ca/ca.crt
{{- end }}
{{- if .root.Values.github.appId }}
- name: DPPCTL_GITHUB_APP_ID
  value: {{ .root.Values.github.appId | int64 | quote }}
{{ include "dppctl.secret" (dict "root" .root "variable" "DPPCTL_GITHUB_APP_KEY" "key" "github-app-key") }}
{{- else }}
{{ include "dppctl.secret" (dict "root" .root "variable" "DPPCTL_GITHUB_TOKEN" "key" "github-token") }}
      optional: {{ not (empty .root.Values.github.hostKeys) }}
{{- end }}
{{- if .root.Values.github.hostKeys }}
{{ include "dppctl.secret" (dict "root" .root "variable" "DPPCTL_DEPLOY_KEYS" "key" "deploy-keys") }}
{{- end }}
{{- end -}}

{{- define "dppctl.databaseEnv" -}}
{{- if .root.Values.database.existingSecret -}}
- name: DPPCTL_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.database.existingSecret | quote }}
      key: {{ .root.Values.database.existingSecretKey | quote }}
{{- else -}}
{{ include "dppctl.secret" (dict "root" .root "variable" "DATABASE_PASSWORD" "key" "database-password") }}
- name: DPPCTL_DATABASE_URL
  value: postgresql+psycopg://dppctl:$(DATABASE_PASSWORD)@{{ include "dppctl.fullname" .root }}-database/dppctl
{{- end -}}
{{- end -}}

{{- /* `persistence`: of the component, or none. A volume's name says its kind, as an upgrade cannot change that. */ -}}
{{- define "dppctl.stateName" -}}
{{- if and .persistence .persistence.enabled }}kept-state{{ else }}state{{ end -}}
{{- end -}}

{{- define "dppctl.stateMount" -}}
- name: {{ include "dppctl.stateName" . }}
  mountPath: /var/lib/dppctl
{{- end -}}

{{- define "dppctl.stateVolume" -}}
- name: {{ include "dppctl.stateName" . }}
  {{- if and .persistence .persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "dppctl.name" . | quote }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}

{{- define "dppctl.volumeMounts" -}}
- name: apps
  mountPath: /etc/dppctl
  readOnly: true
{{ include "dppctl.stateMount" . }}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "dppctl.volumes" -}}
- name: apps
  configMap:
    name: "{{ include "dppctl.fullname" .root }}-apps"
{{ include "dppctl.stateVolume" . }}
- name: tmp
  emptyDir: {}
{{- end -}}

{{- /* Not empty when there is a sync. */ -}}
{{- define "dppctl.syncs" -}}
{{- if and .Values.continuousDeployment.enabled (eq .Values.deployedBy "sync") .Values.sync.environments -}}yes{{- end -}}
{{- end -}}

{{- /* Not empty when the chart brings a PostgreSQL. */ -}}
{{- define "dppctl.hasDatabase" -}}
{{- if and .Values.continuousDeployment.enabled (not .Values.database.existingSecret) -}}yes{{- end -}}
{{- end -}}

{{- /* Amounts (`cpu: 1`) as text: a server of Kubernetes 1.20 takes no numbers there from helm 4. */ -}}
{{- define "dppctl.quantities" -}}
{{- regexReplaceAll "(?m): ([0-9][0-9.e+]*)$" (toYaml .) ": \"$1\"" -}}
{{- end -}}
