{{/* What all pods of the chart have in common. (list $ podSecurityContext) */}}
{{- define "pipelines.podCommon" -}}
{{- $ := index . 0 -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $.Values.serviceAccountName }}
serviceAccountName: {{ . | quote }}
{{- end }}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 0 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with omit (index . 1) "runAsNonRoot" "seccompProfile" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with $.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.tolerations }}
tolerations: {{ toYaml . | nindent 0 }}
{{- end }}
{{- end -}}

{{/* The restricted profile: https://kubernetes.io/docs/concepts/security/pod-security-standards/ */}}
{{- define "pipelines.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A volume that only one node can mount at a time: whoever mounts it is put where the first one is. (list $ mounts) */}}
{{- define "pipelines.affinity" -}}
{{- $ := index . 0 -}}
{{- if $.Values.affinity -}}
affinity: {{ toYaml $.Values.affinity | nindent 2 }}
{{- else if and (index . 1) (not (has "ReadWriteMany" $.Values.storage.volume.accessModes)) -}}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          dppctl.io/volume: {{ include "pipelines.volumeLabel" $ | quote }}
{{- end -}}
{{- end -}}

{{/* Where pods that run pipelines may go: to their database, and anywhere but to the addresses that are excepted. */}}
{{- define "pipelines.egress" -}}
{{ include "pipelines.egressTo" (list . .Values.networkPolicy.exceptAddresses list) }}
{{- end -}}

{{/* To the release's database, DNS, and all other addresses, at these ports or, if none are named, all. (list $ exceptAddresses ports) */}}
{{- define "pipelines.egressTo" -}}
{{- $ := index . 0 -}}
- to:
  - podSelector:
      matchLabels: {{ include "pipelines.podLabels" (list $ "database") | nindent 8 }}
- to:
  - namespaceSelector: {}
  ports:
  - {port: 53, protocol: UDP}
  - {port: 53, protocol: TCP}
{{- $v4 := list }}{{ $v6 := list }}
{{- range index . 1 }}
{{- if contains ":" . }}{{ $v6 = append $v6 . }}{{ else }}{{ $v4 = append $v4 . }}{{ end }}
{{- end }}
- to:
  - ipBlock: {{ dict "cidr" "0.0.0.0/0" "except" $v4 | toYaml | nindent 6 }}
  - ipBlock: {{ dict "cidr" "::/0" "except" $v6 | toYaml | nindent 6 }}
  {{- with index . 2 }}
  ports:
  {{- range . }}
  - {port: {{ int64 . }}, protocol: TCP}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* Amounts (`cpu: 1`) as text: a server of Kubernetes 1.20 takes no numbers there from helm 4. */}}
{{- define "pipelines.quantities" -}}
{{- regexReplaceAll "(?m): ([0-9][0-9.e+]*)$" (toYaml .) ": \"$1\"" -}}
{{- end -}}
