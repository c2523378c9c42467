"""The auth server's limits and intervals, together, each with its reason."""

TOKEN_DAYS = 90  # that a token is good for: as long as people remember what it was for
MAX_TOKEN_DAYS = 366  # that somebody may ask for, such as for CI
MAX_TOKENS = 200  # of one person: machines and CI jobs; more are a mistake of a script
SESSION_IDLE_SECONDS = 12 * 3600  # a working day
SESSION_SECONDS = 7 * 86_400  # at most; then what the provider says of the person is asked anew
USED_SECONDS = 60  # between two times that the use of a token or session is written down: a write each would be slow
DEVICE_CODE_SECONDS = 600  # that a code of the device flow holds: time for a login with a second factor
DEVICE_INTERVAL_SECONDS = 5  # between two questions of a device; RFC 8628's own
DEVICE_SLOWER_SECONDS = 5  # more after each question that came too early; RFC 8628's own
DEVICE_GRACE_SECONDS = 1  # that a question may come early: networks are not even
DEVICE_CODES_A_MINUTE = 60  # that one address gets: people behind one address, such as a proxy's, share it
WRONG_CODES, WRONG_CODES_SECONDS = 5, 60  # of devices, typed by one person or from one address in that time
WRONG_LOGINS, WRONG_LOGINS_SECONDS = 20, 60  # tokens, from one address in that time; as the proxy has it
LOGIN_SECONDS = 600  # that a login at a provider may take, with a second factor
MAX_STATES = 4  # logins at providers that a browser has begun; their cookie has 4 KB
MAX_NAME = 100  # characters of a token's name
MAX_NEXT = 2_000  # characters of a path that a login leads to
MAX_FORM_BYTES = 64 * 2**10  # of a request's body: forms have a few fields
MAX_GROUPS = 500  # of a person: organisations; GitHub shows 100 a page
AWAY_SECONDS = 5  # after which somebody may ask again, when the database or GitHub is away
PROVIDER_SECONDS = 10  # for a connection with a provider, and for each part of its answer
PERMISSION_SECONDS = 300  # that GitHub's word on who may write to a repository holds
MAX_PERMISSIONS = 10_000  # of these that are remembered; some 2 MB
