"""Evidence that may be looked at every day, against integrals, hand-worked values and exact expectations."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from core.domain import sequential
from core.domain.split_plan import planned_split


def by_integral(wins, losses):
    """Return the e-value as what it means: the likelihood ratio averaged over shares above one half."""
    upper = beta(3, 3).sf(0.5)

    def weighed(share):
        return (2 * share) ** wins * (2 * (1 - share)) ** losses * beta.pdf(share, 3, 3) / upper

    return quad(weighed, 0.5, 1)[0]


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 1), (7, 3), (3, 7), (30, 12), (12, 30)])
def test_the_paired_e_value_is_a_mean_of_likelihood_ratios_over_shares_above_one_half(wins, losses):
    assert np.exp(sequential.paired_log_e(wins, losses)) == pytest.approx(by_integral(wins, losses))


@pytest.mark.parametrize("share", [0.5, 0.45, 0.2])
def test_no_number_of_articles_lets_a_challenger_that_is_not_better_expect_a_gain(share):
    for n in (1, 2, 5, 20, 60):
        wins = np.arange(n + 1)
        expected = binom.pmf(wins, n, share) @ np.exp(sequential.paired_log_e(wins, n - wins))
        assert expected == pytest.approx(1) if share == 0.5 else expected < 1


def test_huge_counts_stay_finite_on_either_side():
    sides = sequential.paired_log_e([100_000, 0], [0, 100_000])
    assert np.isfinite(sides).all()
    assert sides[0] == pytest.approx(100_000 * np.log(2), rel=1e-3)
    assert np.exp(sides[1]) == pytest.approx(15 / 8 / 100_001)


def test_the_e_value_of_a_clear_loser_does_not_jump_where_doubles_end():
    losses = np.arange(900, 1_200)
    steps = np.diff(sequential.paired_log_e(0, losses))
    assert (steps < 0).all()
    assert (steps > -0.005).all()
    assert np.exp(sequential.paired_log_e(0, 1_200)) == pytest.approx(by_integral(0, 1_200), rel=0.01)


def test_day_bets_multiply_over_days_and_are_averaged_over_stakes():
    won = np.mean([1 + stake * 0.5 for stake in (0.25, 0.5, 0.75, 0.95)])
    both = np.mean([(1 + stake * 0.5) * (1 - stake) for stake in (0.25, 0.5, 0.75, 0.95)])
    assert np.exp(sequential.day_log_e([0.5, -1.0])) == pytest.approx([won, both])


def test_a_day_on_which_nothing_was_discordant_moves_no_evidence():
    assert sequential.day_log_e([0.4, 0.0])[1] == sequential.day_log_e([0.4])[0]


def test_day_bets_expect_nothing_where_whole_days_fall_to_one_side_by_a_fair_coin():
    days = np.array(np.meshgrid(*[[-1.0, 1.0]] * 10)).reshape(10, -1).T
    assert np.exp(sequential.day_log_e(days))[:, -1].mean() == pytest.approx(1)


def clustered(days, per_day, correlation, *, share=0.5, seed=5):
    """Return wins and losses of days whose share of wins varies by the intraclass correlation."""
    rng = np.random.default_rng(seed)
    weight = 1 / correlation - 1 if correlation else None
    shares = rng.beta(share * weight, (1 - share) * weight, days) if weight else np.full(days, share)
    wins = rng.binomial(per_day, shares)
    return wins, per_day - wins


@pytest.mark.parametrize(("correlation", "effect"), [(0.0, 1.0), (0.05, 1.55), (0.2, 3.2)])
def test_the_design_effect_of_many_days_is_one_plus_correlation_times_the_others(correlation, effect):
    wins, losses = clustered(4_000, 12, correlation)
    assert sequential.design_effect(wins, losses)[-1] == pytest.approx(effect, rel=0.06)


def test_the_design_effect_is_not_told_before_six_days_with_discordant_articles():
    wins = np.array([2, 0, 1, 3, 0, 2, 1, 2])
    losses = np.array([1, 0, 1, 1, 0, 2, 1, 2])
    known = ~np.isnan(sequential.design_effect(wins, losses))
    assert known.tolist() == [False] * 7 + [True]


def test_the_first_days_hardly_move_the_design_effect_away_from_one():
    wins, losses = np.array([6, 0] * 3), np.array([0, 6] * 3)
    # the days alone say 7.2: their variance is six times the binomial one, over 5 degrees of freedom of 6
    assert sequential.design_effect(wins, losses)[-1] == pytest.approx((5 * 7.2 + 15) / 20)


def test_days_that_all_fall_to_one_side_do_not_speak_against_independence():
    assert sequential.design_effect([3] * 8, [0] * 8)[-1] == 1


def test_market_labels_are_bet_on_by_day_however_independent_they_look():
    wins, losses = clustered(40, 12, 0)
    found = sequential.evidence(wins, losses, by_day=True, limit=1.2)
    assert found.by_day.all()
    np.testing.assert_array_equal(found.log_for, sequential.day_log_e((wins - losses) / 12))
    np.testing.assert_array_equal(found.log_against, sequential.day_log_e((losses - wins) / 12))


def test_articles_are_the_unit_once_the_days_show_them_independent():
    wins, losses = clustered(60, 12, 0, seed=6)
    found = sequential.evidence(wins, losses, by_day=False, limit=1.2)
    assert found.by_day[:5].all()
    assert not found.by_day[-1]
    assert found.log_for[-1] == sequential.paired_log_e(wins.sum(), losses.sum())


def test_dependent_days_are_one_bet_each():
    wins, losses = clustered(60, 12, 0.4, share=0.7)
    found = sequential.evidence(wins, losses, by_day=False, limit=1.2)
    assert found.by_day[-1]
    assert found.log_for[-1] == sequential.day_log_e((wins - losses) / 12)[-1]


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_the_choice_of_the_unit_never_raises_the_evidence_above_that_by_article(correlation, share):
    wins, losses = clustered(120, 8, correlation, share=share)
    found = sequential.evidence(wins, losses, by_day=False, limit=1.2)
    by_article = sequential.paired_log_e(np.cumsum(wins), np.cumsum(losses))
    assert (found.log_for <= by_article).all()
    by_days = sequential.day_log_e((wins - losses) / 8)
    assert (found.log_for <= by_days)[found.by_day].all()


def test_evidence_of_many_experiments_is_that_of_each():
    wins, losses = (np.stack(each) for each in zip(clustered(30, 9, 0), clustered(30, 9, 0.2), strict=True))
    together = sequential.evidence(wins, losses, by_day=False, limit=1.2)
    for i in range(2):
        alone = sequential.evidence(wins[i], losses[i], by_day=False, limit=1.2)
        np.testing.assert_array_equal(together.log_for[i], alone.log_for)


def test_swapping_the_models_swaps_the_evidence():
    wins, losses = clustered(40, 9, 0.1, share=0.6)
    one = sequential.evidence(wins, losses, by_day=False, limit=1.2)
    other = sequential.evidence(losses, wins, by_day=False, limit=1.2)
    np.testing.assert_allclose(one.log_for, other.log_against)


def test_there_is_no_interval_before_a_hundred_articles():
    assert np.isnan(sequential.confidence_sequence(0.75, [1, 50, 99])).all()


def test_the_interval_has_the_width_of_its_formula():
    # worked by hand for n = 560: r = (5.9915 + ln 6.9915) / 500 = .015872, n r + 1 = 9.888
    assert sequential.confidence_sequence(0.75, 560) == pytest.approx(0.1111, abs=2e-4)


def test_the_interval_is_wider_than_that_of_a_single_look():
    n = np.array([100, 500, 2_000, 100_000])
    single = 1.96 * np.sqrt(0.25 / n)
    assert (sequential.confidence_sequence(0.25, n) > 1.4 * single).all()


@pytest.mark.parametrize("allocation", [0.1, 0.5, 0.8])
def test_articles_dealt_out_as_planned_expect_no_evidence_against_the_plan(allocation):
    for n in (1, 10, 200):
        mine = np.arange(n + 1)
        e = np.exp(sequential.ratio_log_e(mine, n - mine, allocation))
        assert binom.pmf(mine, n, allocation) @ e == pytest.approx(1)


def test_a_ratio_off_its_plan_is_found():
    assert sequential.ratio_log_e(300, 200, 0.5) > np.log(1_000)
    assert sequential.ratio_log_e(300, 200, 0.6) < 0


def test_a_plan_says_how_many_articles_and_days_a_difference_takes():
    plan = sequential.planned(0.1, 0.25, per_day=50, seed=1)
    assert plan["articles_fixed"] == 194
    assert plan["detectable"]
    assert 5 <= plan["days_median"] <= 7 < plan["days_power"] + 1 <= 11
    assert plan["articles"] == 50 * plan["days_power"]


def test_a_plan_is_the_same_for_the_same_seed():
    assert sequential.planned(0.05, 0.2, per_day=20, seed=4) == sequential.planned(
        0.05, 0.2, per_day=20, seed=4
    )


def test_market_days_take_longer_than_articles():
    articles = sequential.planned(0.1, 0.25, per_day=50, seed=1)
    assert sequential.planned(0.1, 0.25, per_day=50, seed=1, by_day=True)["days_power"] > (
        1.5 * articles["days_power"]
    )


@pytest.mark.parametrize("per_day", [0, 0.2])
def test_a_trickle_of_labels_can_see_nothing_within_half_a_year(per_day):
    plan = sequential.planned(0.05, 0.25, per_day=per_day, seed=1)
    assert not plan["detectable"]
    assert plan["articles"] is plan["days_power"] is None
    assert plan["articles_fixed"] == 783


def test_a_difference_larger_than_the_discordance_takes_all_of_it():
    assert sequential.planned(0.2, 0.1, per_day=20, seed=1) == sequential.planned(
        0.2, 0.2, per_day=20, seed=1
    )


def test_a_split_takes_several_times_the_articles_of_a_shadow():
    shadow = sequential.planned(0.1, 0.25, per_day=50, seed=1)
    split = planned_split(0.1, 0.72, 0.5, per_day=50)
    assert split["articles"] > 2 * shadow["articles"]
    assert split["articles_fixed"] == pytest.approx(554, rel=0.02)  # two-sample z test, both arms


def test_an_uneven_split_takes_longer():
    even, uneven = (planned_split(0.1, 0.72, share, per_day=50) for share in (0.5, 0.1))
    assert uneven["days_power"] > 2 * even["days_power"]


def test_a_split_without_labels_sees_nothing():
    assert not planned_split(0.1, 0.72, 0.5, per_day=0)["detectable"]
