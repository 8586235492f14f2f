"""Programs are compiled once a process, whoever asks for them again."""

from generations import DENSE, job_of

from nograd.engines.programs import compile_all


def programs(**settings):
    job = job_of(**DENSE | settings)
    return compile_all(job.generation, job.init_state(), job.generation.fixed(job.keys))


def test_the_same_training_again_is_not_compiled_again():
    first, again, other = programs(), programs(seed=4), programs(sigma=0.3)
    assert all(first[name].call is again[name].call for name in first)
    assert first["evaluate"].call is not other["evaluate"].call


def test_what_is_compiled_another_way_is_another_program(monkeypatch, request):
    before = programs()
    request.getfixturevalue("optimized")
    after = programs()
    assert {name: one.portable for name, one in before.items()} == {name: one.portable for name, one in after.items()}
    assert not any(before[name].call is after[name].call for name in before)
