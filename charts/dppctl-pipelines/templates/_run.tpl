{{/*
The pod template that runs pipelines, in the order that its containers are in: the worker's file, the app's files, the
database that they write to, the pipelines, what checks and takes what they made, and then what copies it. What copies
must not start before they end and must not wait for ever when they are killed, so the pipelines are an init container
where there is something to copy to.
The source commit is not in it: the same image from another commit is the same pod. (list $ ids component)
*/}}
{{- define "pipelines.run" -}}
{{- $ := index . 0 -}}
{{- $bucket := $.Values.storage.bucket.path -}}
{{- $volume := $.Values.storage.volume.enabled -}}
{{- $rclone := and $bucket $.Values.storage.bucket.url -}}
{{- $finishes := or $.Values.database.enabled $.Values.expect -}}
{{- $whole := include "pipelines.whole" $ -}}
metadata:
  labels:
    {{- include "pipelines.podLabels" (list $ (index . 2)) | nindent 4 }}
    dppctl.io/digest: {{ include "pipelines.digest" $ | quote }}
    {{- if $volume }}
    dppctl.io/volume: {{ include "pipelines.volumeLabel" $ | quote }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: pipelines
    {{- with $.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: {{ $.Values.terminationGracePeriodSeconds | int64 }}
  {{- include "pipelines.podCommon" (list $ $.Values.podSecurityContext) | nindent 2 }}
  {{- with include "pipelines.affinity" (list $ $volume) }}
  {{- . | nindent 2 }}
  {{- end }}
  initContainers:
  - name: worker
    image: {{ $.Values.worker.image | quote }}
    command: [cp, /opt/dppctl/worker.pyz, /dppctl-worker/worker.pyz]
    securityContext: {{ include "pipelines.containerSecurity" $ | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 256Mi}
    volumeMounts:
    - {name: dppctl, mountPath: /dppctl-worker}
  - name: prepare
    image: {{ $.Values.image | quote }}
    command:
    - python3
    - -c
    - {{ $.Files.Get "files/prepare.py" | quote }}
    {{- with $.Values.workdir }}
    workingDir: {{ . | quote }}
    {{- end }}
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext: {{ include "pipelines.containerSecurity" $ | nindent 6 }}
    resources: {{ include "pipelines.quantities" $.Values.resources | nindent 6 }}
    env:
    - {name: DPPCTL_IMAGE, value: {{ $.Values.image | quote }}}
    - {name: DPPCTL_FOLDER, value: {{ $.Values.storage.folder | replace "$" "$$" | quote }}}
    {{- if $.Values.database.enabled }}
    - {name: DPPCTL_WAIT_FOR, value: "{{ include "pipelines.database" $ }}:5432"}
    - {name: DPPCTL_WAIT_SECONDS, value: {{ $.Values.database.waitSeconds | int64 | quote }}}
    {{- end }}
    volumeMounts:
    - {name: dppctl, mountPath: /dppctl}
  {{- if $.Values.database.enabled }}
  {{- include "pipelines.begin" . | nindent 2 }}
  {{- end }}
  {{- if or $bucket $volume $finishes }}
  {{- include "pipelines.container" . | nindent 2 }}
  {{- end }}
  {{- if or $bucket $volume }}
  {{- if and $finishes (or (not $whole) (and $bucket (not $rclone))) }}
  {{- include "pipelines.finish" . | nindent 2 }}
  {{- end }}
  {{- if $rclone }}
  - name: password
    image: {{ $.Values.worker.image | quote }}
    command: [python3, -m, cluster.publisher.rclone_password]
    securityContext: {{ include "pipelines.containerSecurity" $ | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 256Mi}
    volumeMounts:
    - {name: rclone, mountPath: /run/rclone}
  {{- end }}
  containers:
  {{- if and $whole (or $rclone (not $bucket)) }}
  {{- include "pipelines.finish" . | nindent 2 }}
  {{- end }}
  {{- if $rclone }}
  {{- if not $whole }}
  - name: bucket
    {{- include "pipelines.publish" $ | nindent 4 }}
    - {{ printf "storage:%s" $bucket | replace "$" "$$" | quote }}
    - --url
    - {{ $.Values.storage.bucket.url | replace "$" "$$" | quote }}
    - --password-file=/run/rclone/password
    - --scratch=/published
    ports:
    - {name: alive, containerPort: 8095, protocol: TCP}
    volumeMounts:
    - {name: dppctl, mountPath: /dppctl, readOnly: true}
    - {name: tmp, mountPath: /tmp}
    - {name: published, mountPath: /published}
    - {name: rclone, mountPath: /run/rclone, readOnly: true}
  {{- end }}
  - name: rclone
    image: {{ $.Values.storage.image | quote }}
    command:
    - rclone
    - rcd
    - --rc-addr=127.0.0.1:5572
    - --rc-htpasswd=/run/rclone/htpasswd
    - --rc-serve
    - --transfers=2
    - --checkers=4
    - --buffer-size=0
    - --use-mmap
    - --s3-chunk-size=5M
    - --s3-upload-concurrency=1
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext: {{ include "pipelines.containerSecurity" $ | nindent 6 }}
    resources: {{ include "pipelines.quantities" $.Values.storage.resources | nindent 6 }}
    # It ends when what publishes tells it to; when that was killed, nothing answers there any more.
    livenessProbe:
      tcpSocket: {port: 8095}
      initialDelaySeconds: 30
      periodSeconds: 5
      failureThreshold: 6
    envFrom:
    - secretRef:
        name: {{ required "storage.bucket.existingSecret: name the Secret that holds rclone's RCLONE_CONFIG_STORAGE_... variables" $.Values.storage.bucket.existingSecret | quote }}
    env:
    - {name: HOME, value: /tmp}
    - {name: RCLONE_CONFIG, value: ""}
    - {name: RCLONE_CONFIG_STORAGE_NO_CHECK_BUCKET, value: "true"}
    - {name: RCLONE_CONFIG_STORAGE_BUCKET_POLICY_ONLY, value: "true"}
    - {name: GOMEMLIMIT, value: 80MiB}
    volumeMounts:
    - {name: published, mountPath: /published, readOnly: true}
    - {name: rclone, mountPath: /run/rclone/htpasswd, subPath: htpasswd, readOnly: true}
    - {name: tmp, mountPath: /tmp}
  {{- else if $bucket }}
  - name: bucket
    {{- include "pipelines.copy" $ | nindent 4 }}
    - {{ printf "storage:%s" $bucket | replace "$" "$$" | quote }}
    envFrom:
    - secretRef:
        name: {{ required "storage.bucket.existingSecret: name the Secret that holds rclone's RCLONE_CONFIG_STORAGE_... variables" $.Values.storage.bucket.existingSecret | quote }}
    volumeMounts:
    - {name: dppctl, mountPath: /dppctl, readOnly: true}
    - {name: tmp, mountPath: /tmp}
  {{- end }}
  {{- if and $volume (not $whole) }}
  - name: volume
    {{- if $.Values.site.enabled }}
    {{- include "pipelines.publish" $ | nindent 4 }}
    {{- else }}
    {{- include "pipelines.copy" $ | nindent 4 }}
    {{- end }}
    - /storage
    volumeMounts:
    - {name: dppctl, mountPath: /dppctl, readOnly: true}
    - {name: tmp, mountPath: /tmp}
    - {name: storage, mountPath: /storage}
  {{- end }}
  {{- else if $finishes }}
  containers:
  {{- include "pipelines.finish" . | nindent 2 }}
  {{- else }}
  containers:
  {{- include "pipelines.container" . | nindent 2 }}
  {{- end }}
  volumes:
  - name: dppctl
    emptyDir: {}
  - name: tmp
    emptyDir: {}
  {{- if $finishes }}
  - name: expectations
    configMap:
      name: {{ include "pipelines.name" (list $ "origin" 63) | quote }}
      items:
      - {key: expectations, path: expectations.json}
  {{- end }}
  {{- if $rclone }}
  - name: published
    emptyDir: {}
  - name: rclone
    emptyDir:
      medium: Memory
      sizeLimit: 1Mi
  {{- end }}
  {{- if $volume }}
  - name: storage
    persistentVolumeClaim:
      claimName: {{ include "pipelines.volume" $ | quote }}
  {{- end }}
{{- end -}}

{{/* The container that runs them. (list $ ids component) */}}
{{- define "pipelines.container" -}}
{{- $ := index . 0 -}}
- name: pipelines
  image: {{ $.Values.image | quote }}
  command: [python3, /dppctl/worker.pyz, run]
  args:
  - --receipt
  - /dppctl/work/receipt.json
  - --concurrency
  - {{ $.Values.concurrency | int64 | quote }}
  - --verbose
  - --events
  {{- if include "pipelines.goesBack" . }}
  - --kept
  - /dppctl/work/kept.json
  {{- end }}
  {{- if include "pipelines.staged" $ }}
  - --publication
  - /dppctl/publication
  {{- end }}
  {{- range $.Values.expect }}
  {{- if .unique }}
  - {{ dict "resource" .resource "columns" .unique | toJson | printf "--unique=%s" | replace "$" "$$" | quote }}
  {{- end }}
  {{- end }}
  - --
  {{- /* A `$$` is one `$` to Kubernetes: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/ */}}
  {{- range index . 1 }}
  - {{ . | replace "$" "$$" | quote }}
  {{- end }}
  workingDir: {{ $.Values.workdir | default "/dppctl/workload" | quote }}
  terminationMessagePath: /dev/termination-log
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext: {{ include "pipelines.containerSecurity" $ | nindent 4 }}
  resources: {{ include "pipelines.quantities" $.Values.resources | nindent 4 }}
  env:
  - {name: HOME, value: /dppctl/home}
  - name: DPPCTL_ORIGIN
    valueFrom:
      configMapKeyRef:
        name: {{ include "pipelines.name" (list $ "origin" 63) | quote }}
        key: origin
  {{- if $.Values.database.enabled }}
  {{- range $name := list "DPP_DB_ENGINE" "DPPCTL_RUN_DATABASE" }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ include "pipelines.database" $ | quote }}
        key: DPP_DB_ENGINE_NEXT
  {{- end }}
  {{- include "pipelines.runName" "DPPCTL_RUN" | nindent 2 }}
  {{- else if $.Values.database.existingSecret }}
  - name: DPP_DB_ENGINE
    valueFrom:
      secretKeyRef:
        name: {{ $.Values.database.existingSecret | quote }}
        key: {{ $.Values.database.existingSecretKey | quote }}
  {{- end }}
  {{- with $.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $.Values.envFrom }}
  envFrom: {{ toYaml . | nindent 2 }}
  {{- end }}
  volumeMounts:
  - {name: dppctl, mountPath: /dppctl}
  - {name: tmp, mountPath: /tmp}
  {{- with $.Values.workdir }}
  - {name: dppctl, mountPath: {{ . | quote }}, subPath: workload}
  {{- end }}
{{- end -}}

{{/* The pod's uid, by which the databases' containers know their run, as a variable of this name. */}}
{{- define "pipelines.runName" -}}
- name: {{ . }}
  valueFrom:
    fieldRef: {fieldPath: metadata.uid}
{{- end -}}

{{/* The name of the pod's Job, as a variable of this name. */}}
{{- define "pipelines.jobName" -}}
- name: {{ . }}
  valueFrom:
    fieldRef: {fieldPath: "metadata.labels['job-name']"}
{{- end -}}

{{/*
Not empty where a deployment's Job that runs again takes what it left before, if that is kept: the database has all of
it, as nothing is published beside. (list $ ids component)
*/}}
{{- define "pipelines.goesBack" -}}
{{- $ := index . 0 -}}
{{- if and $.Values.database.enabled (eq (index . 2) "job") (not $.Values.storage.bucket.path) (not $.Values.storage.volume.enabled) -}}yes{{- end -}}
{{- end -}}

{{/*
The containers that make the database which the pipelines write to: it waits for its turn, and becomes a copy of the
current one. Where runs by the clock run some pipelines, an empty one would lose what the others made. (list $ ids component)
*/}}
{{- define "pipelines.begin" -}}
{{- $ := index . 0 -}}
- name: begin
  image: {{ $.Values.worker.image | quote }}
  command: [python3, -m, cluster.next_database.begin]
  args:
  - --run
  - $(DPPCTL_RUN)
  - --wait
  - {{ $.Values.database.turnSeconds | int64 | quote }}
  {{- if include "pipelines.goesBack" . }}
  - --job
  - $(DPPCTL_JOB)
  - --kept=/dppctl/work/kept.json
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext: {{ include "pipelines.containerSecurity" $ | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 64Mi}
    limits: {memory: 256Mi}
  env:
  - {name: HOME, value: /tmp}
  - name: DPP_DB_ENGINE
    valueFrom:
      secretKeyRef:
        name: {{ include "pipelines.database" $ | quote }}
        key: DPP_DB_ENGINE
  {{- include "pipelines.runName" "DPPCTL_RUN" | nindent 2 }}
  {{- include "pipelines.jobName" "DPPCTL_JOB" | nindent 2 }}
  {{- if include "pipelines.goesBack" . }}
  - name: DPPCTL_RESTORES
    valueFrom:
      configMapKeyRef:
        name: {{ include "pipelines.name" (list $ "origin" 63) | quote }}
        key: restores
  {{- end }}
  volumeMounts:
  - {name: dppctl, mountPath: /dppctl}
{{- if or (eq $.Values.database.next "copy") (eq (index . 2) "schedule") }}
- name: copy
  image: {{ $.Values.database.image | quote }}
  command:
  - sh
  - -c
  - {{ $.Files.Get "files/copy_database.sh" | quote }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext: {{ include "pipelines.containerSecurity" $ | nindent 4 }}
  resources: {{ include "pipelines.quantities" $.Values.database.resources | nindent 4 }}
  env:
  - {name: PGHOST, value: {{ include "pipelines.database" $ | quote }}}
  - {name: PGUSER, value: {{ $.Values.database.user | quote }}}
  - {name: PGDATABASE, value: {{ $.Values.database.name | quote }}}
  - {name: DPPCTL_NEXT, value: {{ include "pipelines.nextDatabase" $ | quote }}}
  - {name: DPPCTL_BESIDE, value: {{ ternary "template1" "postgres" (eq $.Values.database.name "postgres") | quote }}}
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ include "pipelines.database" $ | quote }}
        key: password
  {{- include "pipelines.runName" "DPPCTL_RUN" | nindent 2 }}
  - {name: PGAPPNAME, value: dppctl run $(DPPCTL_RUN)}
  - {name: PGOPTIONS, value: -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3}
  - {name: DPPCTL_KEPT, value: /dppctl/work/kept.json}
  volumeMounts:
  - {name: dppctl, mountPath: /dppctl, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
{{- end -}}

{{/*
The container that checks what the pipelines made and makes their database the current one, and what they staged with
it. (list $ ids component)
*/}}
{{- define "pipelines.finish" -}}
{{- $ := index . 0 -}}
{{- $whole := include "pipelines.whole" $ -}}
{{- $rclone := and $.Values.storage.bucket.path $.Values.storage.bucket.url -}}
{{- $volume := $.Values.storage.volume.enabled -}}
- name: finish
  image: {{ $.Values.worker.image | quote }}
  command: [python3, -m, cluster.next_database.finish]
  args:
  - --run
  - $(DPPCTL_RUN)
  - --job
  - $(DPPCTL_JOB)
  - --receipt=/dppctl/work/receipt.json
  - --expectations=/dppctl-expectations/expectations.json
  {{- if eq (index . 2) "schedule" }}
  - --scheduled
  {{- end }}
  {{- if include "pipelines.goesBack" . }}
  - --kept=/dppctl/work/kept.json
  {{- end }}
  {{- if $whole }}
  - --publication=/dppctl/publication
  {{- if $rclone }}
  - {{ printf "--to=storage:%s" $.Values.storage.bucket.path | replace "$" "$$" | quote }}
  - {{ printf "--url=%s" $.Values.storage.bucket.url | replace "$" "$$" | quote }}
  - --password-file=/run/rclone/password
  - --scratch=/published
  {{- end }}
  {{- if $volume }}
  - --to=/storage
  {{- end }}
  {{- if $rclone }}
  ports:
  - {name: alive, containerPort: 8095, protocol: TCP}
  {{- end }}
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext: {{ include "pipelines.containerSecurity" $ | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 64Mi}
    limits: {memory: 512Mi}
  env:
  - {name: HOME, value: /tmp}
  {{- if $.Values.database.enabled }}
  - name: DPP_DB_ENGINE
    valueFrom:
      secretKeyRef:
        name: {{ include "pipelines.database" $ | quote }}
        key: DPP_DB_ENGINE
  {{- end }}
  {{- include "pipelines.runName" "DPPCTL_RUN" | nindent 2 }}
  {{- include "pipelines.jobName" "DPPCTL_JOB" | nindent 2 }}
  volumeMounts:
  - {name: dppctl, mountPath: /dppctl, readOnly: true}
  - {name: expectations, mountPath: /dppctl-expectations, readOnly: true}
  {{- if $whole }}
  - {name: tmp, mountPath: /tmp}
  {{- if $volume }}
  - {name: storage, mountPath: /storage}
  {{- end }}
  {{- if $rclone }}
  - {name: published, mountPath: /published}
  - {name: rclone, mountPath: /run/rclone, readOnly: true}
  {{- end }}
  {{- end }}
{{- end -}}

{{/*
Not empty when database and files become current together: what checks the data publishes it too. A bucket with
releases beside a volume that is copied to is the exception, as nothing may be copied before the data is checked.
*/}}
{{- define "pipelines.whole" -}}
{{- $copied := and .Values.storage.volume.enabled (not .Values.site.enabled) -}}
{{- $rclone := and .Values.storage.bucket.path .Values.storage.bucket.url -}}
{{- if and .Values.database.enabled (include "pipelines.staged" .) (not (and $rclone $copied)) -}}yes{{- end -}}
{{- end -}}

{{/* Not empty when what they made is published as releases: our server, or the packages' stable descriptors, lead there. */}}
{{- define "pipelines.staged" -}}
{{- if or (and .Values.storage.volume.enabled .Values.site.enabled) (and .Values.storage.bucket.path .Values.storage.bucket.url) -}}yes{{- end -}}
{{- end -}}

{{/* A container that publishes what they staged as a release; where to comes as its next argument. */}}
{{- define "pipelines.publish" -}}
image: {{ .Values.worker.image | quote }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext: {{ include "pipelines.containerSecurity" . | nindent 2 }}
resources: {{ include "pipelines.quantities" .Values.storage.resources | nindent 2 }}
env:
- {name: HOME, value: /tmp}
command: [python3, -m, cluster.publisher.staged, --publication, /dppctl/publication]
args:
- --to
{{- end -}}

{{/* A container that copies what they made; where to comes as its next argument. What is there already stays. */}}
{{- define "pipelines.copy" -}}
image: {{ .Values.storage.image | quote }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext: {{ include "pipelines.containerSecurity" . | nindent 2 }}
resources: {{ include "pipelines.quantities" .Values.storage.resources | nindent 2 }}
env:
- {name: HOME, value: /tmp}
- {name: RCLONE_CONFIG, value: ""}
command: [rclone, copy, --verbose, {{ printf "/dppctl/workload/%s" .Values.storage.folder | replace "$" "$$" | quote }}]
args:
{{- end -}}

{{/*
What a pod's end means for its Job: one that its node or a drain ended did not fail, and is made again when it has
ended. Since Kubernetes 1.26: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
*/}}
{{- define "pipelines.failurePolicy" -}}
{{- if semverCompare ">=1.26-0" .Capabilities.KubeVersion.Version -}}
podFailurePolicy:
  rules:
  - action: Ignore
    onPodConditions:
    - {type: DisruptionTarget, status: "True"}
{{- end -}}
{{- end -}}
