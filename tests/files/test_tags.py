from dqn_exp.files.tags import CHARTS, FINAL_METRICS, VIDEO, Tag


def test_tags_are_a_group_and_a_name():
    for tag in (*Tag, VIDEO):
        group, _, name = tag.partition("/")
        assert group.isidentifier() and name.isidentifier()


def test_charts_and_final_metrics_show_tags_that_exist():
    charted = [tag for charts in CHARTS.values() for chart in charts for tag in chart.tags]
    assert {*charted, *FINAL_METRICS} <= set(Tag)
    assert len(set(charted)) == len(charted)
