from nvr.processor.model_work import MAX_MODELS, WorkSheets, joined_by_model


def test_the_work_of_a_model_is_that_of_all_its_looks() -> None:
    sheets = WorkSheets()
    sheets.looked("a", 0.02, inferences=1, frames=3, used_px=50, all_px=100)
    sheets.looked("a", 0.04, inferences=2, frames=5, used_px=150, all_px=200)
    sheets.failed("a")
    [work] = sheets.report()
    assert (work.inferences, work.frames, work.failures, work.used_px, work.offered_px) == (3, 8, 1, 200, 300)
    assert work.seconds.count == 2


def test_one_model_of_two_sets_of_cameras_is_told_once() -> None:
    first, second = WorkSheets(), WorkSheets()
    for sheets in (first, second):
        sheets.looked("a", 0.02, inferences=1, frames=1, used_px=0, all_px=0)
    second.failed("b")
    works = joined_by_model([*first.report(), *second.report()])
    assert [(work.model_id, work.inferences, work.seconds.count, work.failures) for work in works] == [
        ("a", 2, 2, 0),
        ("b", 0, 0, 1),
    ]


def test_of_many_models_that_were_tried_only_the_latest_are_remembered() -> None:
    sheets = WorkSheets()
    for number in range(2 * MAX_MODELS):
        sheets.failed(f"model-{number}")
    assert [work.model_id for work in sheets.report()] == [f"model-{n}" for n in range(MAX_MODELS, 2 * MAX_MODELS)]
