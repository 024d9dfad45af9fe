from tests.registry import fixtures

workshop = fixtures.workshop
