import pytest

from victor_memory.conversation.statements import read, repeats, supersedes


def said(old, new):
    return repeats(read(old), read(new)), supersedes(read(old), read(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We use PostgreSQL for storage", "we use PostgreSQL for storage."),
        ("We use Postgres 16 for staging", "For staging we use Postgres 16"),
        ("We don't use Redis", "We do not use Redis"),
        ("It won’t retry", "It will not retry"),  # noqa: RUF001 - the apostrophe of a word processor
        ("The tests run on CI", "Tests run on CI"),
        ("We are using Docker", "We use Docker"),
        ("The user prefers dark mode!", "User prefers dark mode"),
    ],
)
def test_the_same_in_other_words_is_the_same(old, new):
    assert said(old, new) == (True, False)
    assert said(new, old) == (True, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We use Postgres 16", "We use Postgres 15"),
        ("A depends on B", "B depends on A"),
        ("Migrate from A to B", "Migrate to A from B"),
        ("We use C", "We use C++"),
        ("-from a import b", "+from a import b"),
        ("We use Redis", "We do not use Redis"),
        ("Alice owns billing", "Bob owns billing"),
        ("We used Redis", "We use Redis"),
        ("prod uses Redis", "staging uses Redis"),
        ("x < 5", "x > 5"),
        ("The offset is -5", "The offset is 5"),
        ("Deploy to US", "Deploy to us"),
        ("Redis replaced Memcached in prod", "Memcached replaced Redis in prod"),
        ("We use postgres", "Do we use postgres?"),
        ("", ""),
        ("the a", "a the"),
    ],
)
def test_what_differs_in_a_number_a_name_a_negation_or_the_order_is_not_the_same(old, new):
    assert not repeats(read(old), read(new))
    assert not repeats(read(new), read(old))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We use npm for installs", "We now use pnpm instead of npm"),
        ("We use Jenkins for CI", "We switched from Jenkins to GitHub Actions"),
        ("We use Redis for caching", "We no longer use Redis"),
        ("We use yarn", "We don't use yarn any more"),
        ("We use pnpm instead of npm", "We use bun instead of pnpm"),
        ("We switched from Jenkins to CircleCI", "We switched from CircleCI to GitHub Actions"),
        ("We use MySQL as our database", "We migrated from MySQL to PostgreSQL"),
        ("We use unittest for testing", "We use pytest instead of unittest for testing"),
        ("The frontend is written in Vue", "The frontend moved from Vue to React"),
        ("We deploy with Heroku", "We replaced Heroku with Fly.io because it was too expensive"),
        ("The team lives in Berlin", "The team moved from Berlin to Munich"),
        ("The API port is 8080", "The API port is 9090"),
        ("The API listens on port 8080", "The API now listens on port 9090"),
        ("Staging database is Postgres 15", "Staging database is Postgres 16"),
        ("The service runs on Python 3.11", "The service runs on Python 3.12"),
        ("The timeout is 30 seconds", "The timeout is now 60 seconds"),
        ("The timeout is 30 seconds", "The timeout was raised to 60 seconds"),
        ("The rate limit is 100 requests per minute", "The rate limit is 250 requests per minute"),
        ("The CI runs on ubuntu-22.04", "The CI runs on ubuntu-24.04"),
        ("The staging URL is https://a.example.com", "The staging URL is https://b.example.com."),
        ("Retry limit: 3", "Retry limit: 5"),
        ("Deploy day is Friday", "Deploy day is Tuesday"),
        ("DB_HOST=alpha", "DB_HOST=beta"),
        ("The default branch is master", "The default branch is now main"),
        ("The user's favorite editor is vim", "The user's favorite editor is emacs"),
        ("The project's license is MIT", "The project's license is Apache-2.0"),
        ("Use snake_case for JSON keys", "Use camelCase for JSON keys, not snake_case"),
        ("The default timeout is 30s", "Changed the default timeout from 30s to 10s"),
        ("Decision: the cache TTL is 60s", "The cache TTL is 300s, superseding the 60s TTL"),
        ("Reviews need one approval", "Reviews need two approvals"),
        ("Auth uses JWT tokens", "Auth now uses session cookies"),
        ("Alice is the tech lead", "Bob is now the tech lead"),
        ("Force pushes are allowed", "Force pushes are not allowed"),
        ("Feature X is enabled", "Feature X is disabled"),
        ("The user prefers tabs over spaces", "The user now prefers spaces over tabs"),
    ],
)
def test_another_value_of_the_same_takes_the_place_of_the_first(old, new):
    assert said(old, new) == (False, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We use npm", "We now use Redis"),
        ("We use Redis for caching", "We use Postgres for storage"),
        ("We use Redis for caching", "We switched from Redis to RabbitMQ for queues"),
        ("Jenkins runs on host ci-3", "We switched from Jenkins to GitHub Actions"),
        ("The API uses JWT", "The web app no longer uses JWT"),
        ("The API uses JWT", "The web app uses sessions instead of JWT"),
        ("The CLI repo uses unittest", "We use pytest instead of unittest"),
        ("We moved from Redis to Valkey", "We use Memcached instead of Redis"),
        ("We moved from Redis to Valkey for caching", "We no longer use Redis for caching"),
        ("The login page is blue", "The login page is slow"),
        ("We support Python 3.11", "We support Python 3.12"),
        ("Increment the version (#50)", "Increment the version (#104)"),
        ("Absolutely, that's a great point", "Absolutely, that's exactly what it does now"),
        ("The CI runs on ubuntu-22.04", "The CI runs on macos-14"),
        ("Backups run on Monday", "Backups run on Tuesday"),
        ("We use PostgreSQL 15 in production", "We use PostgreSQL 16 in staging"),
        ("Node 1 has 16 GB of memory", "Node 2 has 32 GB of memory"),
        ("Bug 123 is caused by a race", "Bug 124 is caused by a race"),
        ("Test coverage was 80% in May", "Test coverage was 85% in June"),
        ("Issue 12 is fixed", "Issue 13 is fixed"),
        ("Run test 3 before deploy", "Run test 4 before deploy"),
        ("We met on Monday", "We met on Tuesday"),
        ("I prefer tabs", "I prefer dark mode"),
        ("Alice owns billing", "Bob owns search"),
        ("Alice reviews PRs", "Bob now reviews PRs"),
        ("staging port is 8080", "production port is 9090"),
        ("Timeout of the client is 30", "Timeout of the server is 60"),
        ("TODO: write docs", "TODO: write tests"),
        ("Use 4 spaces in Python", "Use spaces instead of tabs in Python"),
        ("The user now prefers spaces over tabs", "Use spaces instead of tabs in Python"),
        ("The bug was in parser.py", "The bug was in lexer.py"),
        ("Use 2 spaces in YAML", "Use 4 spaces in Python"),
        ("The port is 80", "Is the port 81?"),
        ("The port is 80", "The port is 80"),
        ("The port is 80 " + "word " * 50, "The port is 81 " + "word " * 50),
    ],
)
def test_what_is_not_clear_is_denied(old, new):
    assert not supersedes(read(old), read(new))
