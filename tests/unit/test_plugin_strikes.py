from nova_tornado.plugin_strikes import Strikes, forget_strikes, read_strikes


def begun(folder, worker):
    strikes = Strikes()
    strikes.begin(folder, worker)
    return strikes


def test_strikes_of_all_workers_are_told_together(tmp_path):
    first, second = begun(tmp_path, 1), begun(tmp_path, 2)
    for _ in range(3):
        first.add("nova_weather", "filter", "ValueError")
    second.add("nova_weather", "filter", "KeyError")
    second.note("nova_weather", "subscriber", "TypeError")
    assert read_strikes(tmp_path) == {"nova_weather": ["filter 4+ KeyError (off)", "subscriber 1 TypeError"]}
    # A worker that is replaced takes its own back, and those of the others stay.
    begun(tmp_path, 1)
    assert read_strikes(tmp_path) == {"nova_weather": ["filter 1 KeyError", "subscriber 1 TypeError"]}
    forget_strikes(tmp_path)
    assert read_strikes(tmp_path) == {}


def test_server_of_one_process_forgets_the_strikes_of_workers(tmp_path):
    begun(tmp_path, 3).add("nova_weather", "filter", "ValueError")
    begun(tmp_path, None).add("nova_weather", "filter", "KeyError")
    assert read_strikes(tmp_path) == {"nova_weather": ["filter 1 KeyError"]}
