"""A chart as an ops repo has it, with little in it: tests of sync deploy it many times."""

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\nannotations: {dppctl.io/knows-sync: 'true'}\n",
    "chart/templates/all.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: {{ .Release.Name }}-text
        data:
          text: {{ .Values.text | default "none" | quote }}
          commit: {{ .Values.source.commit | quote }}
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: {{ .Release.Name }}-secret
        stringData:
          password: {{ .Values.password | default "s3cret" | quote }}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: {{ .Release.Name }}-ui
        spec:
          replicas: {{ .Values.replicas | default 0 }}
          selector:
            matchLabels: {app: {{ .Release.Name }}-ui}
          template:
            metadata:
              labels: {app: {{ .Release.Name }}-ui}
            spec:
              containers:
              - {name: ui, image: ui}
        {{- if .Values.pipelines }}
        ---
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: {{ .Release.Name }}-{{ print (.Values.image | default "none") .Values.request | sha256sum | trunc 12 }}
          annotations:
            helm.sh/resource-policy: keep
            {{- with and .Values.global .Values.ttlLater }}
            dppctl.io/ttl-seconds-after-finished: {{ . | quote }}
            {{- end }}
          labels:
            app.kubernetes.io/instance: {{ .Release.Name }}
            app.kubernetes.io/component: job
        spec:
          backoffLimit: 0
          {{- with .Values.ttl }}
          ttlSecondsAfterFinished: {{ . }}
          {{- end }}
          template:
            metadata:
              labels:
                app.kubernetes.io/instance: {{ .Release.Name }}
            spec:
              restartPolicy: Never
              {{- if .Values.keeps }}
              initContainers:
              - {name: begin, image: x, args: [--kept=/kept.json]}
              {{- end }}
              containers:
              - {name: pipelines, image: {{ .Values.image | default "none" | quote }}}
        {{- end }}
    """,
}
