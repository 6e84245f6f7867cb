from nvr.app.site.added_cameras import AddedCameras


def test_what_a_processor_shows_and_the_file_has_not_was_added() -> None:
    added = AddedCameras()
    added.keep({0, 1}, {"gate", "porch"})
    added.note("gate", {0, 2})
    added.note("porch", {1, 3})
    assert added.owners == {2: "gate", 3: "porch"}
    added.note("gate", ())
    assert added.owners == {3: "porch"}, "it has ended"
    added.keep({0, 1}, {"gate"})
    assert added.owners == {}


def test_a_camera_that_left_the_file_was_not_added_until_its_number_comes_again() -> None:
    added = AddedCameras()
    added.keep({0, 1}, {"gate"})
    added.note("gate", {0, 1})
    added.keep({0}, {"gate"})
    added.note("gate", {0, 1})
    assert added.owners == {}, "the processor has not read its file yet"
    added.note("gate", {0})
    added.note("gate", {0, 1})
    assert added.owners == {1: "gate"}
