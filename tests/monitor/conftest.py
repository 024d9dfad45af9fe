from tests.notify import conftest as messages
from tests.registry import fixtures

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy
listener = messages.listener
