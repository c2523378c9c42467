{{- /* Not empty when the cluster is public. Refuses values that would not hold strangers apart, or keep them to limits. */ -}}
{{- define "dppctl.isPublic" -}}
{{- if .Values.public.enabled -}}
{{- $pool := .Values.pool -}}
{{- $workers := $pool.workers -}}
{{- if or (not .Values.runs.enabled) .Values.continuousDeployment.enabled -}}
{{- fail "public.enabled: a public cluster has runs and nothing else: set runs.enabled, and continuousDeployment.enabled: false; what you deploy yourself is another release, in another namespace" -}}
{{- end -}}
{{- if or (eq .Values.auth.mode "none") (not .Values.usage.enabled) -}}
{{- fail "public.enabled: needs a login and limits: set auth.mode (oauth) and usage.enabled" -}}
{{- end -}}
{{- if not (and .Values.public.operator .Values.public.contact) -}}
{{- fail "public.enabled: set public.operator (who runs it) and public.contact (where people complain), which its page shows" -}}
{{- end -}}
{{- if not (and .Values.runs.proxy.ingress.enabled (hasPrefix "https://" .Values.publicUrl)) -}}
{{- fail "public.enabled: set runs.proxy.ingress.enabled, and publicUrl to its https:// address" -}}
{{- end -}}
{{- if or (not $workers.enabled) (ne $workers.mode "ephemeral") -}}
{{- fail "pool.workers.mode: must be ephemeral with public.enabled: a worker that goes on to another run keeps the files of the one before" -}}
{{- end -}}
{{- if not (and .Values.networkPolicy.enabled $pool.networkPolicy.enabled) -}}
{{- fail "public.enabled: needs networkPolicy.enabled and pool.networkPolicy.enabled, and a network that keeps to them" -}}
{{- end -}}
{{- range $workers.ports | default (list "all") -}}
{{- if not (has (toString .) (list "80" "443")) -}}
{{- fail (printf "pool.workers.ports: has %v; with public.enabled workers reach 80 and 443 alone: others are for mail, scans and miners" .) -}}
{{- end -}}
{{- end -}}
{{- range list "10.0.0.0/8" "100.64.0.0/10" "169.254.0.0/16" "172.16.0.0/12" "192.168.0.0/16" "fc00::/7" "fe80::/10" -}}
{{- if not (has . $workers.exceptAddresses) -}}
{{- fail (printf "pool.workers.exceptAddresses: lacks %s; with public.enabled no worker may reach private addresses and the nodes' metadata" .) -}}
{{- end -}}
{{- end -}}
{{- if not (or $workers.runtimeClassName .Values.public.sharedKernel) -}}
{{- fail "pool.workers.runtimeClassName: is not set; with public.enabled name one that isolates (gVisor, Kata), or take the risk by public.sharedKernel: true" -}}
{{- end -}}
{{- range list "cpu" "memory" "ephemeral-storage" -}}
{{- if not (get ($pool.resources.limits | default dict) .) -}}
{{- fail (printf "pool.resources.limits: lacks %s; with public.enabled a worker needs a limit of it" .) -}}
{{- end -}}
{{- end -}}
{{- if .Values.storage.enabled -}}
{{- $api := index (splitList ":" (get (urlParse .Values.publicUrl) "host")) 0 -}}
{{- $data := index (splitList ":" (get (urlParse (include "dppctl.storageUrl" .)) "host")) 0 -}}
{{- if or (eq $api $data) (hasSuffix (printf ".%s" $api) $data) (hasSuffix (printf ".%s" $data) $api) -}}
{{- fail (printf "storage.url: its host %s must be of another domain than publicUrl with public.enabled: pages that strangers publish must not share the login's cookies" $data) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.runs.quota -}}
{{- fail "runs.quota: is not set; with public.enabled the namespace needs one, such as {pods: 40, limits.cpu: 24, limits.memory: 64Gi}" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}

{{- /* What the proxy is told of it: variables, the file of limits, its volume. */ -}}
{{- define "dppctl.publicEnv" -}}
- name: DPPCTL_PUBLIC_CLUSTER
  value: "true"
- name: DPPCTL_PUBLIC_OPERATOR
  value: {{ .Values.public.operator | quote }}
- name: DPPCTL_PUBLIC_CONTACT
  value: {{ .Values.public.contact | quote }}
- name: DPPCTL_PUBLIC_KEEP_DAYS
  value: {{ .Values.public.keepDays | int64 | quote }}
- name: DPPCTL_USAGE_LIMITS_FILE
  value: /etc/dppctl-limits/limits.yaml
{{- end -}}

{{- define "dppctl.publicMount" -}}
- name: limits # for the page; as a folder, so that a change comes here
  mountPath: /etc/dppctl-limits
  readOnly: true
{{- end -}}

{{- define "dppctl.publicVolume" -}}
- name: limits
  configMap:
    name: "{{ include "dppctl.fullname" . }}-usage"
{{- end -}}
