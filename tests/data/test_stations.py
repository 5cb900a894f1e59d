"""Tables of stations as people write them, and their places on a grid against distances on the sphere."""

import numpy as np
import pandas as pd
import pytest

from sparta_core.data.domain import Domain
from sparta_core.data.stations import nearest_points, read_stations
from sparta_core.errors import DataError
from tests.globe import axes

GRID = (16, 32)
LAT, LON = axes(*GRID)


@pytest.fixture
def table():
    """Eighty random places."""
    rng = np.random.default_rng(1)
    return pd.DataFrame({"lat": np.rad2deg(np.arcsin(rng.uniform(-1, 1, 80))), "lon": rng.uniform(-180, 180, 80)})


def nearest_by_haversine(lat, lon):
    """Row and column of the nearest grid point."""
    la, lo = np.meshgrid(np.deg2rad(LAT), np.deg2rad(LON), indexing="ij")
    a, o = np.deg2rad(lat), np.deg2rad(lon)
    haversine = np.sin((la - a) / 2) ** 2 + np.cos(la) * np.cos(a) * np.sin((lo - o) / 2) ** 2
    return np.unravel_index(haversine.argmin(), GRID)


def test_stations_belong_to_the_nearest_grid_points(table):
    found = np.unravel_index(nearest_points(table, Domain(LAT, LON)), GRID)
    expected = [nearest_by_haversine(lat, lon) for lat, lon in zip(table["lat"], table["lon"], strict=True)]
    np.testing.assert_array_equal(np.transpose(found), expected)


@pytest.mark.parametrize("text, message", [
    ("lat,lon\n", "has no stations"), ("lat,name\n1,2\n", "has no lon; it needs"),
    ("lat,lon\n1,2\n95,3\n", r"lat in line 3 of .*bad.csv is .*95"), ("lat,lon\n,3\n", "lat in line 2"),
    ("lat,lon\n1,east\n", "lon in line 2 of .* is 'east'"),
    ("", "cannot read the stations"), ('lat,lon\n"1,2\n', "cannot read the stations")])
def test_bad_station_lists_are_one_sentence(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_stations(str(tmp_path / "bad.csv"))
    assert "\n" not in str(error.value)


LONG = ("# from the office\n\nlat,lon,name\n50,8,a\n,,\n# closed since\n-20,130,\"b\nc\"\n", [4, 7])


def written(tmp_path, text, encoding="utf-8"):
    (tmp_path / "stations.csv").write_bytes(text.encode(encoding))
    return str(tmp_path / "stations.csv")


def test_rows_know_the_lines_that_they_begin_in(tmp_path):
    text, lines = LONG
    table = read_stations(written(tmp_path, text))
    assert table.index.tolist() == lines and table["lon"].tolist() == [8, 130]


@pytest.mark.parametrize("text, line", [
    ("lat,lon\n\n\n95,3\n", 4), ("# x\nlat,lon\n1,2\n\n# y\n95,3\n", 6), ('lat,lon,n\n1,2,"a\nb"\n95,3,c\n', 4),
    ("lat,lon\r\n1,2\r\n\r\n95,3\r\n", 4)])  # fmt: skip
def test_errors_say_the_true_line(tmp_path, text, line):
    with pytest.raises(DataError, match=rf"lat in line {line} of .*csv is '95'; write it in degrees"):
        read_stations(written(tmp_path, text))


@pytest.mark.parametrize("row", ["48,2,11,5,3,4", "48,2,11,5", "48,2"])
@pytest.mark.parametrize("before", ["", "1,2,3\n\n"])
def test_a_row_longer_or_shorter_than_the_header_shifts_nothing(tmp_path, row, before):
    line, count = 2 + before.count("\n"), row.count(",") + 1
    with pytest.raises(DataError, match=f"^line {line} of .* has {count} values, its header 3 columns; write one for"):
        read_stations(written(tmp_path, f"lat,lon,2m_temperature\n{before}{row}\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding, between):
    text = "lat,lon,name\n50.5,8.25,Zürich\n-20,130,São\n".replace(",", between)
    table = read_stations(written(tmp_path, text, encoding))
    assert table["lat"].tolist() == [50.5, -20] and table["name"].tolist() == ["Zürich", "São"]


def test_decimal_commas_are_read_and_said(tmp_path):
    with pytest.warns(UserWarning, match="commas in the numbers of .*csv are read as decimal points"):
        table = read_stations(written(tmp_path, "lat;lon;name\n50,5;-8,25;a, b\n"))
    assert table.iloc[0].tolist() == [50.5, -8.25, "a, b"]


@pytest.mark.parametrize("table", [
    pd.DataFrame({"lat": [50.5], "lon": [8]}), pd.DataFrame({"latitude": [50.5], "longitude": [8]}, [99]),
    pd.DataFrame({"lat": ["50.5"], "lon": [8]}, pd.Index(["Zürich"])),
    pd.DataFrame({"lat": [50.5], "lon": [8]}, pd.Index([1], name="lat")),
    pd.DataFrame({"x": [1]}, pd.MultiIndex.from_tuples([(50.5, 8)], names=["latitude", "lon"]))])  # fmt: skip
def test_tables_of_pandas_are_read(table):
    before = table.copy()
    made = read_stations(table)
    assert made["lat"].tolist() == [50.5] and made["lon"].tolist() == [8]
    pd.testing.assert_frame_equal(table, before)


def test_rows_of_pandas_are_counted_from_one():
    with pytest.raises(DataError, match=r"^lat in row 2 of the table is 95.0; write it in degrees"):
        read_stations(pd.DataFrame({"lat": [1, 95.0], "lon": 2}, [7, 8]))


@pytest.mark.parametrize("header, message", [
    ("lat,x", "has no lon; rename 'x'"), ("Y,X", "has no lat and lon; rename 'Y' and 'X'"),
    ("lat,latitude,lon", "has the columns lat and latitude; keep one"), ("lat,lon,lon", "the column 'lon' more than")])
def test_columns_of_places_have_one_name(tmp_path, header, message):
    with pytest.raises(DataError, match=message):
        read_stations(written(tmp_path, f"{header}\n" + ",".join("1" * (header.count(",") + 1))))


EUROPE = (np.arange(35, 70.1, 5), np.arange(10, 40.1, 5))
ATLANTIC = (np.arange(35, 70.1, 5), np.arange(-20, 20.1, 5))


@pytest.mark.parametrize("axes, lat, lon, inside", [
    (EUROPE, 37.4, 8, True), (EUROPE, 32.4, 20, False), (EUROPE, 32.6, 20, True), (EUROPE, 72.6, 20, False),
    (EUROPE, 50, 7.4, False), (EUROPE, 50, 42.4, True), (EUROPE, 50, 42.6, False), (EUROPE, 50, -170, False),
    (ATLANTIC, 50, -22.4, True), (ATLANTIC, 50, 337.4, False), (ATLANTIC, 50, 22.6, False), (ATLANTIC, 50, 358, True),
    ((LAT, LON), 90, 359.9, True), ((LAT, LON), -90, -180, True), ((np.linspace(-90, 90, 7), LON), -90, 5, True),
    ((np.array([-87.16, -81.5, 81.5, 87.16]), LON), 89.99, 5, True)])  # fmt: skip
def test_a_station_outside_the_cells_of_a_grid_is_left_out_and_said(axes, lat, lon, inside):
    places = pd.DataFrame({"lat": [50.0, lat], "lon": [15.0, lon]}, pd.Index([2, 5], name="line"))
    if inside:
        assert nearest_points(places, Domain(*axes), "here").size == 2
        return
    with pytest.warns(UserWarning, match=r"^1 of 2 stations of here lie outside the grid, .* the first in line 5 at"):
        found = nearest_points(places, Domain(*axes), "here")
    np.testing.assert_array_equal(found, nearest_points(places[:1], Domain(*axes)))
    with pytest.raises(DataError, match=r"^all 1 stations of here lie outside the grid, .* the first in line 5 at"):
        nearest_points(places[1:], Domain(*axes), "here")


HEADERS = ["lat,lon", "latitude,longitude", "LAT,LON", "lat_deg,lon_deg", "Lat.,Lon.",
           "Latitude (degrees_north),Longitude (degrees_east)", "Lat,Long", "lats,lons", "lat,lng", "lat [°],lon [°]",
           "latitude_N,longitude_E", "Station Latitude,Station Longitude", "lat / deg,lon / deg",
           "lat_dd,lon_dd"]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("above", ["", "Report of 2001; by the office\n\n", "# lat and lon, of the office\n", "#"])
@pytest.mark.parametrize("between", [",", ";", "\t", "|"])
def test_headers_are_found_however_they_are_written(tmp_path, header, above, between):
    text = above + f"{header},name\n50.5,8.25,a b\n-20,130,c\n".replace(",", between)
    table = read_stations(written(tmp_path, text))
    assert table["lat"].tolist() == [50.5, -20] and table["lon"].tolist() == [8.25, 130]


@pytest.mark.parametrize("text, lat, lon", [
    ("lat lon\n 50.5  8.25\n", 50.5, 8.25), ("lat,lon\n50.5N,8.25W\n", 50.5, -8.25),
    ("lat,lon\n50.5°S,8.25 E\n", -50.5, 8.25), ("Latitude (S),Longitude (degrees west)\n50.5,8.25\n", -50.5, -8.25),
    ("lat,lon\n\u221250.5,8.25\n", -50.5, 8.25), ("lat;lon;\n50.5;8.25;\n", 50.5, 8.25),
    ("lat,lon\ndeg,deg\n50.5,8.25\n", 50.5, 8.25), ("lat,lon\r50.5,8.25\r", 50.5, 8.25),
    ('lat,"lon\n(deg)"\n50.5,8.25\n', 50.5, 8.25)])  # fmt: skip
def test_places_are_read_however_they_are_written(tmp_path, text, lat, lon):
    table = read_stations(written(tmp_path, text))
    assert table["lat"].tolist() == [lat] and table["lon"].tolist() == [lon]


@pytest.mark.parametrize("rows, expected, said", [
    ('"50,5","8,25"', [50.5, 8.25], "decimal points"), ("50,5;1.008,25", None, "decimal points"),
    ('50.5,"8,250"', None, "thousands")])  # fmt: skip
def test_commas_mean_one_thing_in_all_numbers(tmp_path, rows, expected, said):
    text = f"lat{';' if ';' in rows else ','}lon\n{rows}\n"
    with pytest.warns(UserWarning, match=said):
        if expected is None:  # more degrees than there are
            with pytest.raises(DataError, match=r"^lon in line 2 of .* write it in degrees"):
                read_stations(written(tmp_path, text))
        else:
            assert read_stations(written(tmp_path, text)).iloc[0].tolist() == expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_without_its_mark(tmp_path, encoding):
    assert read_stations(written(tmp_path, "lat,lon,name\n50.5,8,Zürich\n", encoding))["name"].tolist() == ["Zürich"]


@pytest.mark.parametrize("text, message", [
    ("lat [rad],lon\n1,2\n", "lat of .* is in 'rad'; write it in degrees"),
    ("PK\3\4...", "it is a workbook or another archive, no text")])  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_stations(written(tmp_path, text))


def test_parquet_is_read_as_the_table_that_it_holds(tmp_path, monkeypatch):
    """Of pyarrow, which need not be installed, only the call is of interest."""
    (tmp_path / "stations.parquet").write_bytes(b"PAR1 and what pyarrow reads")
    table = pd.DataFrame({"lat": [50.5], "lon": [8.25]}, pd.Index(["a"], name="name"))
    monkeypatch.setattr(pd, "read_parquet", lambda _: table)
    assert read_stations(tmp_path / "stations.parquet").equals(read_stations(table))

    def missing(_):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", missing)
    with pytest.raises(DataError, match=r"parquet is Parquet, which pyarrow reads; install sparta-core\[parquet\]"):
        read_stations(tmp_path / "stations.parquet")
    monkeypatch.setattr(pd, "read_parquet", lambda _: [][0])
    with pytest.raises(DataError, match=r"cannot read the stations in .*parquet"):
        read_stations(tmp_path / "stations.parquet")
