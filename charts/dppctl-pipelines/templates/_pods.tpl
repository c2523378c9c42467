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
