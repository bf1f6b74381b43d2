"""Plugins that are wrong as a whole: their names, settings, README, import, fixtures, quality.toml."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from hub.sdk import Field, Secret, Settings, SetupStep
from tests.testing.planted.sinks import GoodSink
from tests.testing.planted.slow import IsSlowToImport
from tests.testing.planted.sources import GoodSource, GoodSourceSuite
from tests.testing.selftest import FOLDERS, breaks

HERE = Path(__file__).parent
_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def moved(connector: type, **files: str) -> None:
    """Let the connector live in a folder of its own, called ``planted``, with other files than its siblings."""
    kept = tempfile.TemporaryDirectory(prefix="planted-")
    _FOLDERS.append(kept)
    folder = Path(kept.name) / "planted"
    folder.mkdir()
    given = {
        "README_md": (HERE / "README.md").read_text(),
        "quality_toml": (HERE / "quality.toml").read_text(),
        **files,
    }
    for name, text in given.items():
        if text:
            (folder / name.replace("_md", ".md").replace("_toml", ".toml")).write_text(text)
    FOLDERS[connector] = folder


def suite_of(connector: type, **attributes: Any) -> type:
    """The good suite with another connector."""
    return type(
        connector.__name__ + "Suite", (GoodSourceSuite,), {"connector": connector, "__module__": __name__, **attributes}
    )


@breaks("keeps_the_contract")
class HasNoDisplayName(GoodSource):
    display_name = ""


@breaks("keeps_the_contract")
class SpeaksAnotherApi(GoodSource):
    plugin_api = 99


@breaks("name_is_folder_and_entry_point")
class IsNotInstalledUnderItsName(GoodSource):
    name = "plantd"


class Undescribed(Settings):
    base_url: str = Field(examples=["https://network.example.com"])
    token: Secret = Field(description="Access token", examples=["x"])
    webhook_secrets: tuple[Secret, ...] = Field((), description="Secrets of webhooks")


@breaks("settings_are_described")
class HasUndescribedSettings(GoodSource):
    Settings: ClassVar[type[Settings]] = Undescribed


class Chatty(Settings, extra="allow"):
    base_url: str = Field(description="Address", examples=["https://network.example.com"])
    token: Secret = Field(description="Access token", examples=["x"])
    webhook_secrets: tuple[Secret, ...] = Field((), description="Secrets of webhooks")


@breaks("settings_refuse_what_they_do_not_know")
class TakesEverySetting(GoodSource):
    Settings: ClassVar[type[Settings]] = Chatty


class OneMore(Undescribed):
    base_url: str = Field(description="Address", examples=["https://network.example.com"])
    poll_every: float = Field(30.0, description="Seconds between polls", examples=[30])


@breaks("readme_names_every_setting")
class HasASettingNobodyDescribed(GoodSource):
    Settings: ClassVar[type[Settings]] = OneMore


class IsDescribedWithAnOldSetting(GoodSource):
    """The README has a row for a setting that is gone."""


moved(
    IsDescribedWithAnOldSetting,
    README_md=(HERE / "README.md").read_text().replace("| `token`", "| `password` | gone |\n| `token`"),
)
breaks("readme_names_every_setting")(suite_of(IsDescribedWithAnOldSetting))


breaks("import_is_quick_and_quiet")(suite_of(IsSlowToImport))


class HasAWaiverWithoutReason(GoodSource):
    """An excuse that says nothing."""


class WaivesWhatIsNoCheck(GoodSource):
    """A misspelt waiver."""


class WaivesItsWaivers(GoodSource):
    """Nobody is above the law."""


class HasNoQuality(GoodSource):
    """No quality.toml at all."""


SILVER = 'tier = "silver"\nowner = "o"\n'
moved(HasAWaiverWithoutReason, quality_toml=SILVER + '[waivers]\ndeletions_are_told = " "\n')
moved(WaivesWhatIsNoCheck, quality_toml=SILVER + '[waivers]\ndeletion_is_told = "no deletions there"\n')
moved(WaivesItsWaivers, quality_toml=SILVER + '[waivers]\nwaivers_are_in_order = "a try"\n')
moved(HasNoQuality, quality_toml="")
for wrong in (HasAWaiverWithoutReason, WaivesWhatIsNoCheck, WaivesItsWaivers, HasNoQuality):
    breaks("waivers_are_in_order")(suite_of(wrong))


@breaks("waivers_are_in_order")
class OverridesACheck(GoodSourceSuite):
    def test_deletions_are_told(self) -> None:
        """Nothing is checked any more."""


class ClaimsGoldWithoutARun(GoodSource):
    """No ``[proven]``."""


class ClaimsSilverWithAWaiver(GoodSource):
    """Vendor errors are not all mapped."""


class ClaimsSilverWithoutAnOwner(GoodSource):
    """Nobody answers for it."""


class WasProvenTomorrow(GoodSource):
    """A date that has not come."""


moved(ClaimsGoldWithoutARun, quality_toml='tier = "gold"\nowner = "o"\n')
moved(ClaimsSilverWithAWaiver, quality_toml=SILVER + '[waivers]\n"reply_under[409]" = "no idea"\n')
moved(ClaimsSilverWithoutAnOwner, quality_toml='tier = "silver"\n')
moved(WasProvenTomorrow, quality_toml=SILVER + '[proven]\ndate = 2999-01-01\nversion = "1"\nhow = "by hand"\n')
for wrong in (ClaimsGoldWithoutARun, ClaimsSilverWithAWaiver, ClaimsSilverWithoutAnOwner, WasProvenTomorrow):
    breaks("claimed_tier_is_held")(suite_of(wrong))


# --- fixtures --------------------------------------------------------------------------------------------------------

PICTURE = (HERE / "fixtures" / "said__with_a_picture.json").read_text()
EXPECTED = (HERE / "fixtures" / "said__with_a_picture.expected.json").read_text()


def fixtures(**files: str) -> Path:
    """A folder of fixtures."""
    kept = tempfile.TemporaryDirectory(prefix="fixtures-")
    _FOLDERS.append(kept)
    for name, text in files.items():
        (Path(kept.name) / f"{name.replace('_expected', '.expected')}.json").write_text(text)
    return Path(kept.name)


@breaks("fixtures_give_the_expected_events")
class ExpectsAnotherText(GoodSourceSuite):
    fixtures = fixtures(said__one=PICTURE, said__one_expected=EXPECTED.replace("look", "luck"))


@breaks("fixtures_give_the_expected_events")
class ExpectsNothing(GoodSourceSuite):
    fixtures = fixtures(said__one=PICTURE)


@breaks("fixtures_give_the_expected_events")
class NamesItsFixturesFreely(GoodSourceSuite):
    fixtures = fixtures(picture=PICTURE, picture_expected=EXPECTED)


@breaks("fixtures_are_scrubbed")
class ShowsAnAddress(GoodSourceSuite):
    fixtures = fixtures(
        said__one=PICTURE.replace("look", "ada@gmail.com"), said__one_expected=EXPECTED.replace("look", "ada@gmail.com")
    )


@breaks("fixtures_are_scrubbed")
class ShowsALongNumber(GoodSourceSuite):
    fixtures = fixtures(
        said__one=PICTURE.replace("look", "4929123412341234"),
        said__one_expected=EXPECTED.replace("look", "4929123412341234"),
    )


@breaks("attachments_are_told")
class HasNoPictures(GoodSourceSuite):
    fixtures = HERE / "fixtures_without_pictures"


# --- setting up ------------------------------------------------------------------------------------------------------


@breaks("setup_plan_changes_nothing", "sink")
class LeavesPeopleAlone(GoodSink):
    def plan_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        return [*super().plan_setup(webhook_url), SetupStep(title="Make a queue", state="unknown", by="person")]


@breaks("setup_twice_is_setup_once", "sink")
class LeavesTheHubsStepUndone(GoodSink):
    def apply_setup(self, webhook_url: str) -> Sequence[SetupStep]:
        return [*super().apply_setup(webhook_url), SetupStep(title="Make a field", state="missing")]
