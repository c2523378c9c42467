"""Who somebody is and what they may do, from the database: the auth server answers it, `dppctl up` asks it directly."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Update, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.accounts import AccountsAwayError
from bot.database import Database
from bot.errors import PermanentError
from bot.logs import get_logger
from bot.model.account import Account, Permission, Scope
from cluster.auth.admission import granted_scopes, is_listed
from cluster.auth.github import RepositoryRights
from cluster.auth.keys import AuthKeys
from cluster.auth.limits import USED_SECONDS
from cluster.auth.options import AuthOptions
from cluster.auth.people import ProvenIdentity, forget_unused_tokens, known, record_person
from cluster.auth.sessions import begin_session, end_session, session_end
from cluster.auth.tables import AccessToken, LoginSession, Person
from cluster.auth.tokens import (
    TokenRequest,
    TokenRequestError,
    add_token,
    list_tokens,
    remove_own,
    remove_token,
    split_scopes,
)
from cluster.proxy.tokens import PREFIX, KnownTokens, hash_of

# Made once: making a statement takes longer than its answer.
_TOKEN = (
    select(AccessToken, Person)
    .outerjoin(Person, Person.user == AccessToken.user)
    .where(AccessToken.sha256 == bindparam("sha256"))
)
_SESSION = (
    select(LoginSession, Person)
    .outerjoin(Person, Person.user == LoginSession.user)
    .where(LoginSession.sha256 == bindparam("sha256"))
)

_log = get_logger("dppctl.auth")


class NotAdmittedError(PermanentError):
    """No list of the settings names who logs in."""


@dataclass(frozen=True)
class FoundAccount:
    """An account, and what only the auth server needs of it."""

    account: Account
    granted: frozenset[Scope]  # what its person may do at most, whatever the token says
    expires: datetime | None  # None: a token of the file has no end
    is_session: bool
    person: Person | None  # None: nobody who has logged in here


class AuthService:
    """Implements `bot.accounts.Accounts` on the database. Several threads and processes may use one database."""

    def __init__(
        self,
        options: AuthOptions,
        database: Database,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Know people by the database and the options' file of tokens. Raises TokenFileError."""
        self.options, self.database, self.clock = options, database, clock
        self.keys = AuthKeys(options.key)
        self._rights = RepositoryRights(options.github)
        self._file = KnownTokens(options.tokens_file) if options.tokens_file else None

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def identify(self, token: str) -> Account | None:
        """Return whose token or session it is; None: nobody's, or not any more. Raises AccountsAwayError."""
        found = self.find(token)
        return found.account if found else None

    def may_deploy(self, token: str, app: str) -> Permission:
        """Return whether its person may deploy an app (OWNER/REPO[/PATH]). Raises AccountsAwayError."""
        if (found := self.find(token)) is None:
            return Permission(False, "nobody is logged in, or not any more")
        account = found.account
        if "deploy" not in account.scopes:
            return Permission(False, f"the token {account.token!r} of {account.login} has no scope deploy")
        if "admin" in found.granted:
            return Permission(True, f"{account.login} is an admin")
        if (listed := self.options.deployers.get(app)) is not None:
            if is_listed(listed, known(found.person, account.user)):
                return Permission(True, f"mayDeploy of {app} in apps.yaml names {account.login}")
            return Permission(False, f"mayDeploy of {app} in apps.yaml does not name {account.login} ({account.user})")
        kept = found.person.github_token if found.person else None
        if not kept or not account.user.startswith("github:"):
            why = f"{account.user} is not of GitHub; mayDeploy of {app} in apps.yaml can name who may"
            return Permission(False, why)
        if (own_token := self.keys.decrypt(kept)) is None:
            return Permission(False, "the key that people's logins are kept with has changed; log in again")
        return self._rights.may_write(account.login, own_token, app)

    def find(self, token: str) -> FoundAccount | None:
        """Return whose token or session it is, with what the auth server needs. Raises AccountsAwayError."""
        if not token:
            return None
        sha256, now = hash_of(token), self.clock()
        try:
            with self.database.read() as session:
                if token.startswith(PREFIX):
                    return self._of_token(session, sha256, now)
                return self._of_session(session, sha256, now)
        except SQLAlchemyError as error:
            _log.error("the database does not answer", error=type(error).__name__)
            raise AccountsAwayError("the auth server's database does not answer; try again later") from None

    def log_in(self, identity: ProvenIdentity) -> str:
        """Write down who logged in at a provider, and return the new session's token.

        Raises NotAdmittedError when no list names the person; then nothing is kept.
        """
        now = self.clock()
        encrypted = self.keys.encrypt(identity.github_token) if identity.github_token else None
        with self.database.write() as session:
            person = record_person(session, identity, encrypted, now)
            if not self._granted(person.user, person):
                taken = identity.is_login_proven and not person.owns_login
                also = (
                    "; the login was somebody else's before, so a list that has it means that person" if taken else ""
                )
                who = f"{identity.login} ({identity.user}) is on no list of this installation{also}"
                raise NotAdmittedError(f"{who}; DPPCTL_AUTH_USERS or another list can name {identity.user}")
            token = begin_session(session, identity.user, None, now)
            forget_unused_tokens(session, now)
            return token

    def log_in_by_token(self, token: str) -> str | None:
        """Return the token of a new session that may what a token may, and ends with it; None: the token is none."""
        if (found := self.find(token)) is None or found.is_session:
            return None
        with self.database.write() as session:
            return begin_session(session, found.account.user, hash_of(token), self.clock())

    def log_out(self, token: str) -> None:
        """End the session of a cookie's value."""
        with self.database.write() as session:
            end_session(session, token)

    def make_token(self, found: FoundAccount, wanted: TokenRequest) -> tuple[str, AccessToken]:
        """Return a new token of somebody's, and what is kept of it. Raises TokenRequestError."""
        if missing := [scope for scope in wanted.scopes if scope not in found.account.scopes & found.granted]:
            raise TokenRequestError(f"scopes: you have no {', '.join(missing)} yourself, so you cannot give it")
        with self.database.write() as session:
            made = add_token(session, found.account.user, wanted, self.clock())
        _log.info("a token is made", user=found.account.user, name=wanted.name, scopes=",".join(wanted.scopes))
        return made

    def tokens_of(self, found: FoundAccount) -> list[tuple[AccessToken, str]]:
        """Return somebody's tokens, of an admin all, each with its person's login."""
        with self.database.read() as session:
            records = list_tokens(session, None if found.account.is_admin else found.account.user, self.clock())
            query = select(Person.user, Person.login).where(Person.user.in_({record.user for record in records}))
            logins = dict(iter(session.execute(query)))
        return [(record, logins.get(record.user, record.user.partition(":")[2])) for record in records]

    def revoke_token(self, found: FoundAccount, identity: str) -> bool:
        """Have a token be worth nothing; of an admin anybody's. Return whether there was such a one."""
        with self.database.write() as session:
            removed = remove_token(session, identity, None if found.account.is_admin else found.account.user)
        _log.info("a token is revoked", user=found.account.user, id=identity, found=removed)
        return removed

    def revoke_own(self, found: FoundAccount, token: str) -> bool:
        """Have the token be worth nothing that is shown. Return False for one of the file."""
        with self.database.write() as session:
            removed = remove_own(session, token)
        _log.info("a token is revoked", user=found.account.user, name=found.account.token, found=removed)
        return removed

    def _of_token(self, session: Session, sha256: str, now: datetime) -> FoundAccount | None:
        if self._file and (record := self._file.find_hash(sha256)):
            person = session.get(Person, record.user)
            return self._account(record.user, person, frozenset(record.scopes), None, record.name)
        row = session.execute(_TOKEN, {"sha256": sha256}).first()
        if row is None or row[0].expires <= now:
            return None
        token, person = row
        found = self._account(token.user, person, split_scopes(token.scopes), token.expires, token.name)
        if found and _is_old(token.last_used, now):
            old = or_(AccessToken.last_used.is_(None), AccessToken.last_used <= _minute_before(now))
            self._note_use(update(AccessToken).where(AccessToken.sha256 == sha256, old).values(last_used=now))
        return found

    def _of_session(self, session: Session, sha256: str, now: datetime) -> FoundAccount | None:
        row = session.execute(_SESSION, {"sha256": sha256}).first()
        if row is None or session_end(row[0]) <= now:
            return None
        login, person = row
        found, csrf = None, self.keys.csrf(sha256)
        if login.token_sha256 is None:
            granted = self._granted(login.user, person)
            found = self._account(login.user, person, granted, session_end(login), csrf=csrf, is_session=True)
        elif by_token := self._of_token(session, login.token_sha256, now):
            scopes = by_token.account.scopes
            found = self._account(login.user, person, scopes, session_end(login), csrf=csrf, is_session=True)
        if found and _is_old(login.used, now):
            old = LoginSession.used <= _minute_before(now)
            self._note_use(update(LoginSession).where(LoginSession.sha256 == sha256, old).values(used=now))
        return found

    def _account(
        self,
        user: str,
        person: Person | None,
        scopes: frozenset[Scope],
        expires: datetime | None,
        name: str = "",
        *,
        csrf: str = "",
        is_session: bool = False,
    ) -> FoundAccount | None:
        """Return the account of a token or session; None: its person may nothing (any more)."""
        granted = self._granted(user, person)
        if not scopes & granted:
            return None
        login = person.login if person else user.partition(":")[2]
        groups = frozenset(person.groups) if person else frozenset()
        account = Account(user, login, scopes & granted, groups, name, csrf)
        return FoundAccount(account, granted, expires, is_session, person)

    def granted(self, session: Session, user: str) -> frozenset[Scope]:
        """Return what somebody may at most, now."""
        return self._granted(user, session.get(Person, user))

    def _granted(self, user: str, person: Person | None) -> frozenset[Scope]:
        """Return what a person may: by the lists, and by what the file of tokens gives that user now."""
        by_file = self._file.of_user(user) if self._file else ()
        of_file = frozenset(scope for record in by_file for scope in record.scopes)
        return granted_scopes(self.options.lists, known(person, user)) | of_file

    def _note_use(self, statement: Update) -> None:
        """Write down that something was used. When that fails, it is used all the same."""
        try:
            with self.database.write_connection() as connection:
                connection.execute(statement)
        except SQLAlchemyError as error:
            _log.warning("the use of a token is not written down", error=type(error).__name__)


def _minute_before(now: datetime) -> datetime:
    return now - timedelta(seconds=USED_SECONDS)


def _is_old(used: datetime | None, now: datetime) -> bool:
    return used is None or used <= _minute_before(now)
