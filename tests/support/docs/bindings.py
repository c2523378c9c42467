"""What the tests of tests/docs do not type in the page's own words, and why.

A command of a page is typed by a test: `shell.types("…")`, `shell.starts("…")` or `shell.converses("…")` with the text
that the page has (tests/support/docs/shell.py). So for a new command there is a new line in one of the stories in
tests/docs. Only what cannot be typed stands below. test_commands.py tells which command nobody runs, and which line
here no page needs.
"""

# Run by another test, in this form but with means of its own.
_STORAGE = "tests/cluster/storage/test_server.py::test_a_site_has_pages_and_its_own_for_what_is_not_there"
_TZ_DATA = "SELECT name, count(*) FROM zone_countries JOIN countries ON country = code GROUP BY name"
_OWN_IMAGE = "tests/stories/in_images/test_own_image.py::test_it_runs_without_rights_and_writes_only_its_state"
_COMPOSE = "tests/stories/in_images/test_compose.py::test_a_push_is_deployed_by_what_compose_starts"
_RECEIVER_AND_BOT = "tests/cli/servers/test_standalone.py::test_what_one_takes_the_other_deploys_and_sigterm_ends_them"
_AUTH = "tests/cli/servers/test_auth_server.py::test_other_servers_ask_it_whose_a_token_is"
_PUSH = "tests/stories/test_up.py::test_a_push_that_a_webhook_tells_of_is_deployed"
_LOGIN = "tests/cli/remote/test_clusters.py::test_login_keeps_a_token_that_the_cluster_takes"
_TOKENS = "tests/cli/remote/test_login.py::test_tokens_of_ones_own_are_made_listed_and_revoked"
_FILE_TOKENS = "tests/cluster/proxy/test_tokens.py::test_a_token_is_printed_once_and_only_its_hash_is_kept"
_INIT_RUNS = "tests/cli/init/runs/test_flow.py::test_it_installs_says_why_not_goes_on_tells_the_state_and_is_undone"
_GCLOUD = "tests/cli/providers/test_gcloud.py::test_a_cluster_is_made_used_and_removed_and_the_bucket_stays"
_KAMATERA = "tests/cli/init/clusters/test_kamatera.py::test_from_nothing_to_pods_and_back"
_INIT_CLUSTER = "tests/cli/init/clusters/test_flow.py::test_a_cluster_is_begun_waited_for_used_and_removed"
_DEVICE = "tests/cli/remote/test_login.py::test_a_login_by_a_browser_leaves_a_token_that_works_until_the_logout"
_REMOTE_RUN = "tests/cli/remote/test_run.py::test_a_database_is_there_for_pipelines_that_name_one"
_REMOTE_PODS = "tests/cli/remote/test_run.py::test_pods_are_listed_and_runs_stopped_and_looked_at"
_COMPLETION = "tests/cli/commands/test_completion.py::test_each_shell_gets_its_script"
_MAN_PAGES = "tests/cli/test_help.py::test_every_command_has_a_manual_page_that_groff_has_nothing_to_say_of"
_LOGS = "tests/cli/commands/test_lists.py::test_logs_are_of_the_latest_deployment_and_of_the_latest_that_failed"
_ACTS = "tests/cli/commands/test_acts.py::test_each_act_is_done_and_says_what_became_of_it"
_ACCEPT = "tests/cli/commands/test_deploy.py::test_a_change_is_accepted_with_its_reason"
_SIGNED = "tests/bot/reconcile/test_signatures.py::test_only_what_somebody_listed_has_signed_is_deployed"
_PUBLIC = "tests/cli/providers/test_public.py::test_init_is_a_login_and_its_remove_a_logout"
_API_TOKEN = "tests/webhooks/test_api.py::test_where_the_pages_want_a_login_programs_read_with_a_token"
_PUBLISHER = "tests/cli/servers/test_publisher_server.py::test_it_publishes_to_a_folder"
_GATED = "tests/bot/reconcile/test_gated.py::test_files_that_staging_does_not_get_wait_and_it_is_said_what_to_do"
_NEWCOMER = "tests/stories/in_images/test_newcomer.py::test_from_nothing_to_rows_of_their_own"
_DEMO = "tests/stories/test_demo.py::test_the_demo_tells_how_pushes_tags_a_mistake_and_a_loss_of_rows_go"
_GH = "tests/cli/init/identity/test_gh.py::test_a_script_asks_for_it_by_a_flag"
RUN_BY = {
    **dict.fromkeys(
        (
            "sudo apt update && sudo apt install git pipx",
            "pipx ensurepath",
            "pipx run uv tool install git+https://github.com/OriHoch/dppctl",
            'git add --all && git commit --message "The first prices"',
            "git push origin master",
        ),
        _NEWCOMER,
    ),
    "git tag v1.0.0": _DEMO,
    "git push origin v1.0.0": _DEMO,
    "dppctl deploy APP staging --ref TAG": _GATED,
    "dppctl release APP staging": _ACTS,
    "dppctl retry 41": _ACTS,
    "dppctl init minikube-public --public-url https://dppctl.example.org": (
        "tests/cli/providers/test_public.py::test_minikube_public_is_a_login_beside_minikube_and_its_runs_publish_there"
    ),
    "dppctl init public": _PUBLIC,
    "dppctl init public --url https://dppctl.example.org": _PUBLIC,
    f"{_TZ_DATA} ORDER BY 2 DESC LIMIT 5;": "tests/examples/test_examples.py::test_tz_data_fills_three_typed_tables",
    "buildah build --tag REGISTRY/dppctl:0.1.0 .": _OWN_IMAGE,
    "buildah build --tag registry.example.org/dppctl:0.1.0 .": _OWN_IMAGE,
    "buildah build --tag REGISTRY/dppctl:VERSION .": _OWN_IMAGE,
    "docker compose up --build --detach": _COMPOSE,
    "docker compose exec dppctl dppctl status": _COMPOSE,
    "docker compose logs --follow": _COMPOSE,
    "docker compose down": _COMPOSE,
    "dppctl init --config FOLDER --env-file": (
        "tests/cli/init/test_init.py::test_six_answers_set_up_all_and_a_second_run_changes_nothing"
    ),
    "dppctl init --url https://dppctl.example.org": (
        "tests/cli/init/test_webhook.py::test_a_new_address_takes_the_old_webhook_away"
    ),
    "dpp run --slave ID": "tests/worker/test_run.py::test_a_spec_of_dpp_1_runs_as_it_is",
    "DPPCTL_AUTH_MODE=token DPPCTL_AUTH_SERVICE_TOKEN_FILE=service-token dppctl auth-server": _AUTH,
    "dppctl auth-server": _AUTH,
    "dppctl completion bash": _COMPLETION,
    "dppctl completion --help": _COMPLETION,
    "dppctl completion fish": _COMPLETION,
    "dppctl completion zsh": _COMPLETION,
    "dppctl man-pages": _MAN_PAGES,
    "dppctl open": "tests/cli/commands/test_lists.py::test_open_prints_the_address",
    "dppctl open --print": "tests/cli/commands/test_lists.py::test_open_prints_the_address",
    "dppctl status": "tests/cli/commands/test_lists.py::test_status_says_that_nothing_answers_and_what_was_there",
    "dppctl logs APP ENVIRONMENT --follow": _LOGS,
    "dppctl logs --failed": _LOGS,
    "dppctl deploy APP ENVIRONMENT --no-wait --quiet": (
        "tests/cli/commands/test_deploy.py::test_what_failed_is_tried_again_and_its_change_accepted"
    ),
    "dppctl list KIND": "tests/cli/commands/test_lists.py::test_environments_are_listed_with_what_runs_there",
    "dppctl check": "tests/cli/check/test_check.py::test_it_says_what_each_push_would_do",
    "dppctl up --install": "tests/cli/servers/test_systemd.py::test_it_is_written_enabled_and_started_once",
    "dppctl up --uninstall": "tests/cli/servers/test_systemd.py::test_it_is_stopped_and_removed",
    "dppctl up": "tests/cli/init/local/test_flow.py::test_from_a_folder_to_rows_after_a_push",
    "dppctl init --gh --deploy-key --yes": _GH,
    "dppctl init --local": "tests/cli/init/local/test_flow.py::test_from_a_folder_to_rows_after_a_push",
    "curl http://127.0.0.1:8080/api/environments": (
        "tests/webhooks/test_api.py::test_environments_have_what_runs_and_who_holds_them"
    ),
    "curl -H @pages.header https://dppctl.example.org/api/environments": _API_TOKEN,
    "dppctl token create pages --scope read | sed 's/^/Authorization: Bearer /' > pages.header": _TOKENS,
    "dppctl cancel DEPLOYMENT": _ACTS,
    'dppctl deploy APP ENVIRONMENT --accept-change "WHY"': _ACCEPT,
    'dppctl retry DEPLOYMENT --accept-change "WHY"': (
        "tests/cli/commands/test_deploy.py::test_what_failed_is_tried_again_and_its_change_accepted"
    ),
    "dppctl hold APP ENVIRONMENT --reason WHY": _ACTS,
    "dppctl hold APP ENVIRONMENT --reason WHY --until 2026-12-01T18:00": _ACTS,
    "dppctl list holds": _ACTS,
    "dppctl promote APP FROM TO": _ACTS,
    "dppctl publish RUN": "tests/cli/remote/test_publishing.py::test_what_broke_off_is_published_by_a_command",
    "dppctl release APP ENVIRONMENT": _ACTS,
    "dppctl retry DEPLOYMENT": _ACTS,
    "dppctl rollback APP ENVIRONMENT": _ACTS,
    "dppctl usage --since 30d -o json": "tests/cli/remote/test_usage.py::test_people_see_what_they_used",
    "dppctl usage": "tests/cli/remote/test_usage.py::test_people_see_what_they_used",
    "DPPCTL_USAGE_TOKEN_FILE=usage-token DPPCTL_PROXY_SERVICE_TOKEN_FILE=proxy-service-token dppctl usage-server": (
        "tests/cli/servers/test_usage_server.py::test_it_gives_places_and_says_what_is_missing"
    ),
    "DPPCTL_STORAGE_FOLDER=/srv/storage dppctl storage-server": _STORAGE,
    "dppctl storage-server": _STORAGE,
    "dppctl usage-server": "tests/cli/servers/test_usage_server.py::test_it_gives_places_and_says_what_is_missing",
    (
        "DPPCTL_PUBLISHER_TOKEN_FILE=publisher-token DPPCTL_PUBLISHER_REMOTE=/srv/storage "
        "DPPCTL_STORAGE_URL=https://data.example.org dppctl publisher"
    ): _PUBLISHER,
    "dppctl publisher": _PUBLISHER,
    "dppctl bot": _RECEIVER_AND_BOT,
    "dppctl clean": "tests/cli/commands/test_clean.py::test_what_is_old_goes_and_a_dry_run_says_it_first",
    "dppctl doctor": "tests/cli/commands/test_doctor.py::test_each_component_is_listed_with_its_version_and_place",
    "dppctl list pods": _REMOTE_PODS,
    "dppctl login office --context CONTEXT --namespace dppctl": (
        "tests/cli/remote/test_port_forward.py::test_a_right_that_is_missing_is_named"
    ),
    "dppctl login office --url https://dppctl.example.org": _LOGIN,
    "dppctl logout office": _DEVICE,
    "dppctl list clusters": _LOGIN,
    "dppctl token create ci --scope read --scope run --days 30": _TOKENS,
    "dppctl token list": _TOKENS,
    "dppctl token revoke ci": _TOKENS,
    "dppctl token revoke NAME": _TOKENS,
    "dppctl token revoke NAME --file tokens.json": _FILE_TOKENS,
    "dppctl init PROVIDER": _INIT_CLUSTER,
    "dppctl init kubeconfig --workers N": _INIT_RUNS,
    "dppctl init gcloud": _GCLOUD,
    "dppctl init gcloud --remove": _GCLOUD,
    "dppctl init kamatera": _KAMATERA,
    "dppctl init minikube --remove": (
        "tests/cli/providers/test_minikube.py::test_a_start_goes_on_by_itself_is_followed_and_undone"
    ),
    "dppctl init kamatera --remove": _KAMATERA,
    "KAMATERA_API_SECRET=… dppctl init kamatera --kamatera-account-id ID --yes": _KAMATERA,
    (
        "dppctl init kubeconfig --workers 2 --auth oauth --url https://dppctl.example.org "
        "--github-client-id Iv1.0123456789abcdef --admin OriHoch"
    ): _INIT_RUNS,
    "dppctl receive": _RECEIVER_AND_BOT,
    "dppctl up --config . 2>> dppctl.log": _PUSH,
    "dppctl logs RUN": _REMOTE_PODS,
    "dppctl run ./dump-to-db": _REMOTE_RUN,
    "dppctl ssh dppctl-workers-default-7d4b9c-x8k2p": (
        "tests/cli/remote/test_terminal.py::test_a_terminal_is_raw_while_it_lasts_and_has_the_shells_code"
    ),
    "dppctl stop RUN": _REMOTE_PODS,
    "dppctl stop all": _REMOTE_PODS,
    "dppctl use office": _LOGIN,
    "grep delivery=72d3162e-cc78-11e3-81ab-4c9367dc0958 dppctl.log": _PUSH,
    "dppctl run --output json": "tests/cli/commands/test_run.py::test_json_is_events_and_then_the_receipt",
    "dppctl run ./parks": "tests/examples/test_examples.py::test_source_spec_makes_the_pipeline_that_is_asked_for",
    "git -c gpg.ssh.allowedSignersFile=FILE verify-commit HEAD": _SIGNED,
    "git tag --sign": _SIGNED,
    "git fast-import": "tests/bot/reconcile/test_ops_repo.py::test_an_update_is_one_commit_with_trailers",
    # with ONCE=1
    "make demo": _DEMO,
}

_TWO_POSTGRES = "needs pods of two major versions of PostgreSQL"

_UV = "the first page installs the same, by pipx and uv, and is run"

# Not run by any test.
NOT_RUN = {
    "kubectl exec NAME-database-0 -- pg_dumpall -U pipelines --no-role-passwords > all.sql": _TWO_POSTGRES,
    "kubectl delete statefulset NAME-database": _TWO_POSTGRES,
    "kubectl delete pvc data-NAME-database-0": _TWO_POSTGRES,
    "kubectl exec -i NAME-database-0 -- psql -U pipelines -d pipelines < all.sql": _TWO_POSTGRES,
    ".ci/run": "it runs the tests",
    "buildah build --tag REGISTRY/dppctl-runtime:VERSION --file images/runtime/Dockerfile cluster/local/dpp": (
        "downloads dpp; tests/stories/in_images/test_runtime_image.py builds from the same files"
    ),
    "KUBECONFIG=… DPPCTL_TEST_CLUSTER_REGISTRY=HOST:PORT make test TESTS=tests/stories/on_a_cluster": "it runs tests",
    "docker buildx build --push": (
        "needs docker's daemon; tests/bot/images/builders/test_docker.py checks the command line"
    ),
    "podman unshare chown -R 1000 config": "podman without root, which the tests are",
    "git lfs pull": "is git-lfs's own, in a clone of the user's",
    "git submodule update --init --recursive": "is git's own, in a clone of the user's",
    "kubectl logs -l app.kubernetes.io/name=dppctl --prefix --tail=-1": "needs the pods of a cluster",
    "kubectl --namespace dppctl exec deployment/dppctl-publisher -- rm -r /srv/storage/WORKER": (
        "needs the pods of a cluster"
    ),
    "kubectl port-forward": "a pod on a node has to answer, and nothing of dppctl takes part",
    "make audit": "asks a service on the network",
    "make bench": "takes hours",
    "make fuzz": "takes minutes, and the tests that it runs are among the tests",
    "make format": "changes the sources that are being tested",
    "make check": "it runs tests",
    "make lint": "`make test` begins with it",
    "make lock": "asks for newer versions, and changes files",
    "make release": "it is run before a release; tests/house check what it is made of",
    "make test": "it runs the tests",
    "make test TESTS='-m postgres'": "it runs tests",
    "sudo chown -R 1000 config": "gives a folder of the user's away",
    "pipx install git+https://github.com/OriHoch/dppctl": _UV,
    "uv tool install git+https://github.com/OriHoch/dppctl": _UV,
    "python -m tests.support.demo_picture docs/environment.png": "it changes the picture; its demo is run",
}

# How blocks begin that are to be read and not typed, and words that only look like a command.
NO_COMMANDS = (
    *("dppctl.example.org {", "ssh -N", "restrict,port-forwarding,"),
    "day,product,price",
    *("WORKER/committees/…", "storage:", "Syncing Data Packages to Public Storage"),
    "# yaml-language-server: $schema=",
    "DPPCTL_REGISTRY=registry.example.org/data",
    "DPPCTL_ALERTS='mailtos://",
    "[![staging](https://",
    *("DPPCTL_AUTH_MODE=oauth", "DPPCTL_AUTH_GOOGLE_CLIENT_ID", "DPPCTL_AUTH_OIDC_METADATA_URL"),
    "staticClients:",
    "GitHub -> dppctl receive -> ",
    "apps:",
    "build:",
    "continuousDeployment:",
    "default: {runs: 4}",
    "usage:",
    "dppctl run           enters in the middle",
    "dppctl: pipeline-spec.yaml:14: ",
    "dppctl: requirements.txt:3: ",
    *("run       Pending ──", "worker    starting ──", "database  starting ──"),
    "git push / tag       app repository: ",
    "helm upgrade: …",
    "image:",
    "publicUrl:",
    "timestamp=",
    "./x: run by dpp itself: ",
    '{"status": ',
    "no action of .dppctl.yaml fits ",
)
