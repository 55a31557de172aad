# SPDX-License-Identifier: Apache-2.0
"""How random cases are shared out over tests: seeds in batches, and examples of hypothesis."""

from hypothesis import HealthCheck, settings

__all__ = ["batch_name", "batches", "examples"]


def batches(count: int, first: int = 0, size: int = 10) -> list[range]:
    """Seeds ``first`` … ``first + count - 1``, ``size`` to a test.

    That many spare the overhead of tests, and are few enough to name a failure.
    """
    return [range(k, k + size) for k in range(first, first + count, size)]


def batch_name(value: object) -> str:
    """Id of a test parameter; for ``ids`` of ``pytest.mark.parametrize``."""
    return f"seeds{value.start}to{value.stop - 1}" if isinstance(value, range) else str(value)


def examples(count: int) -> settings:
    """Settings for ``count`` examples, the same in every run.

    The RTL of a preset is built in the first example, which takes longer than the others.
    """
    return settings(deadline=None, max_examples=count, derandomize=True,
                    suppress_health_check=list(HealthCheck))
