"""The command `dppctl`."""

import sys
from typing import NoReturn

import click

from bot.errors import DppctlError
from bot.output import for_terminal
from cli.garbage import put_off_collection
from cli.lazy import LazyGroup
from cli.output_options import add_output_options

# name: (its module and attribute, what `dppctl --help` says of it)
COMMANDS = {
    "run": ("cli.commands.run:run", "Run pipelines of a folder or an archive and tell what data came out."),
    "init": ("cli.init.command:init", "Set up continuous deployment of an app, from GitHub to a cluster."),
    "check": ("cli.commands.check:check", "Say what a push would deploy, or why it would be refused."),
    "status": ("cli.commands.status:status", "Say whether dppctl runs here, and what is in which environment."),
    "open": ("cli.commands.open:open_", "Open the pages, or what an environment publishes, in the browser."),
    "up": ("cli.commands.up:up", "Deploy on every push: receiver, bot and sync in one process."),
    "receive": ("cli.commands.receive:receive", "Take webhooks and serve the dashboard."),
    "bot": ("cli.commands.bot:bot", "Commit to the ops repos what is to be deployed."),
    "sync": ("cli.commands.sync:sync", "Deploy what the ops repos say to Kubernetes, with helm."),
    "proxy": ("cli.commands.proxy:proxy", "Take runs from people for a Kubernetes cluster."),
    "auth-server": ("cli.commands.auth_server:auth_server", "Let people log in, and tell servers who they are."),
    "usage-server": ("cli.commands.usage_server:usage_server", "Keep people to limits, and log what they do."),
    "storage-server": ("cli.commands.storage_server:storage_server", "Show what is published: data packages, sites."),
    "token": ("cli.commands.token:token", "Make, list and revoke the tokens by which a proxy knows people."),
    "operator": ("cli.commands.operator:operator", "Hand runs on a Kubernetes cluster to waiting workers."),
    "publish": ("cli.commands.publish:publish", "Publish once more what a run on a cluster wrote, if that broke off."),
    "publisher": ("cli.commands.publisher:publisher", "Put what runs on a cluster wrote into its public storage."),
    "deploy": ("cli.commands.deploy:deploy", "Deploy an app by hand: a branch, a tag or a commit."),
    "rollback": ("cli.commands.acts:rollback", "Go back to what ran before, with the data of then."),
    "promote": ("cli.commands.acts:promote", "Run in one environment what runs in another."),
    "hold": ("cli.commands.acts:hold", "Have nothing deployed to an environment by itself."),
    "release": ("cli.commands.acts:release", "End a hold, so that pushes are deployed again."),
    "cancel": ("cli.commands.acts:cancel", "Stop a deployment; its environment keeps what it had."),
    "retry": ("cli.commands.acts:retry", "Run a deployment that failed once more."),
    "build": ("cli.commands.build:build", "Build an app's image as the bot would, and print its digest."),
    "logs": ("cli.commands.logs:logs", "Print the log of a deployment, or of a run on a cluster."),
    "list": ("cli.commands.list:list_", "List what there is: pods, pipelines, environments, deployments, …"),
    "ssh": ("cli.commands.pods:ssh", "Open a shell in a worker's folder, or on a database."),
    "stop": ("cli.commands.pods:stop", "End pods: their pipelines, their database, their web pages."),
    "usage": ("cli.commands.usage:usage", "Show what runs on a cluster used, and what is left of your limits."),
    "clean": ("cli.commands.clean:clean", "Remove what runs left on this machine long ago."),
    "use": ("cli.commands.login:use", "Choose the cluster that commands work on."),
    "login": ("cli.commands.login:login", "Make a cluster known, and log in to it."),
    "logout": ("cli.commands.login:logout", "Revoke and forget the token that a login has kept."),
    "man-pages": ("cli.commands.man_pages:man_pages", "Write the manual pages, so that `man dppctl-run` shows one."),
    "completion": ("cli.commands.completion:completion", "Print what your shell needs to complete these commands."),
    "doctor": ("cli.commands.doctor:doctor", "Say what of this machine is there and what is missing."),
}

SECTIONS = {
    "Run pipelines": "run ssh stop clean",
    "Deploy what is pushed": "init check up status open logs list",
    "Act on what is deployed": "deploy rollback promote hold release cancel retry build",
    "Clusters": "login logout use token usage publish",
    "The command line": "doctor completion man-pages",
    "Servers, each alone (`dppctl up` has those of one machine together)": "receive bot sync proxy operator publisher"
    " storage-server auth-server usage-server",
}


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples="""
    dppctl run ./dump-to-db     # run a pipeline of this folder
    dppctl init --local         # deploy this folder's pipelines on every push
    dppctl run --help           # what a command takes, with examples
    """,
)
@click.version_option(package_name="dppctl")
def dppctl() -> None:
    """Push data pipelines to GitHub; they are built, deployed and run, and you are told what data came out.

    Pipelines are those of datapackage-pipelines: a pipeline-spec.yaml and your Python files.
    """


add_output_options(dppctl)


def main() -> NoReturn:
    """Run the command line; an error is one line and exit code 2."""
    put_off_collection()
    try:
        code = dppctl.main(prog_name="dppctl", standalone_mode=False)
    except DppctlError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(for_terminal(f"dppctl: {error}"), err=True)
        code = 2
    except BrokenPipeError:
        sys.stderr.close()  # Python would complain of it at exit
        code = 1
    except OSError as error:
        if "--debug" in sys.argv or not error.filename:
            raise
        click.echo(f"dppctl: {error.filename}: {error.strerror}", err=True)
        code = 2
    except click.ClickException as error:
        error.show()
        code = 2
    except click.Abort:
        code = 130
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
