"""Reads the folder of configuration files: hub.toml, teams.toml and categories.toml beside it."""

from hub.configuration.categories import Category, CategoryField
from hub.configuration.hub_file import (
    TRIAL_PREFIX,
    Alerts,
    Connection,
    Email,
    Http,
    Hub,
    Mode,
    RouterBlock,
    Trial,
)
from hub.configuration.loading import HubConfig, load, secret_key, shipped, survey
from hub.configuration.problems import ConfigurationProblems, Problem, did_you_mean, problems_of
from hub.configuration.shifts import Shift
from hub.configuration.teams import KINDS, Label, Member, Route, Team, Teams

__all__ = [
    "KINDS",
    "TRIAL_PREFIX",
    "Alerts",
    "Category",
    "CategoryField",
    "ConfigurationProblems",
    "Connection",
    "Email",
    "Http",
    "Hub",
    "HubConfig",
    "Label",
    "Member",
    "Mode",
    "Problem",
    "Route",
    "RouterBlock",
    "Shift",
    "Team",
    "Teams",
    "Trial",
    "did_you_mean",
    "load",
    "problems_of",
    "secret_key",
    "shipped",
    "survey",
]
