"""Texts of `.dppctl.yaml`."""

FROM_THE_DESIGN = """\
clusterProvider: gcloud
gcloudProjectId: dppctl
gcloudZone: us-central1-a
continuousDeployment:
- appRepoPath: OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment
  opsRepoPath: OriHoch/examples/opsRepo
  actions:
  - branch: master
    environment: staging
    pipeline: all
  - tags: true
    environment: production
    pipeline: [./one, ./two]
"""
