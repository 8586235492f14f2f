"""Tests for your own implementations of nograd's protocols, to be called from your test suite.

    import pytest
    from nograd.testing import strategy_laws

    @pytest.mark.parametrize("law", strategy_laws(lambda: my_strategy(population=10)), ids=str)
    def test_my_strategy(law):
        law()

A law is a check that every implementation must pass; it raises AssertionError with what is wrong. nograd's own
implementations are tested with the same laws.
"""

from nograd.testing.engine import engine_laws as engine_laws
from nograd.testing.laws import Law as Law
from nograd.testing.observer import observer_laws as observer_laws
from nograd.testing.perturbation import perturbation_laws as perturbation_laws
from nograd.testing.strategy import strategy_laws as strategy_laws
from nograd.testing.targets import targets_laws as targets_laws
from nograd.testing.task import task_laws as task_laws
