"""Energy counters: packages only, counters that begin again, machines that do not tell."""

from __future__ import annotations

import pytest

from vnvision.train.energy import EnergyMeter


def counter(root, name, label, energy, limit=1_000_000):
    folder = root / name
    folder.mkdir()
    for file, value in {"name": label, "energy_uj": energy, "max_energy_range_uj": limit}.items():
        (folder / file).write_text(f"{value}\n")
    return folder


def test_packages_are_summed_and_their_parts_are_not(tmp_path):
    first = counter(tmp_path, "intel-rapl:0", "package-0", 100)
    second = counter(tmp_path, "intel-rapl:1", "package-1", 999_000)
    part = counter(tmp_path, "intel-rapl:0:0", "core", 0)
    meter = EnergyMeter(tmp_path, every_s=1000)
    (first / "energy_uj").write_text("500100")
    (second / "energy_uj").write_text("1000")  # began again
    (part / "energy_uj").write_text("400000")
    assert meter.stop() == pytest.approx(0.5 + 0.002)


def test_a_package_shown_twice_counts_once(tmp_path):
    for number in (0, 1):
        counter(tmp_path, f"intel-rapl:{number}", f"package-{number}", 0)
        counter(tmp_path, f"intel-rapl-mmio:{number}", f"package-{number}", 0)
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("")  # cannot be read: the other one is taken
    meter = EnergyMeter(tmp_path, every_s=1000)
    for name, energy in {"intel-rapl:0": 300_000, "intel-rapl-mmio:0": 290_000}.items():
        (tmp_path / name / "energy_uj").write_text(str(energy))
    (tmp_path / "intel-rapl-mmio:1" / "energy_uj").write_text("200000")
    assert meter.stop() == pytest.approx(0.5)


def test_a_counter_that_began_again_between_readings_is_not_lost(tmp_path):
    folder = counter(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = EnergyMeter(tmp_path, every_s=1000)
    for value in (900_000, 800_000, 700_000):
        (folder / "energy_uj").write_text(str(value))
        meter._add()
    assert meter.stop() == pytest.approx(2.7)


def test_a_machine_without_counters_or_that_hides_them_tells_nothing(tmp_path):
    assert EnergyMeter(tmp_path / "none").stop() is None
    folder = counter(tmp_path, "intel-rapl:0", "package-0", 0)
    (folder / "energy_uj").write_text("")
    assert EnergyMeter(tmp_path).stop() is None


def test_a_reading_that_fails_later_is_no_figure(tmp_path):
    folder = counter(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = EnergyMeter(tmp_path, every_s=1000)
    (folder / "energy_uj").unlink()
    assert meter.stop() is None
