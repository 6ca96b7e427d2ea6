"""The harness of the katas: a pytest plugin. `conftest.py` switches it on."""
