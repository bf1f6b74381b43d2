"""The plugins installed here: find, load, check, describe them, and build connections from them."""

from hub.catalogue.catalogue import Catalogue
from hub.catalogue.found import BrokenPlugin, DuplicatePlugin, PluginInfo, SettingRow, Side

__all__ = ["BrokenPlugin", "Catalogue", "DuplicatePlugin", "PluginInfo", "SettingRow", "Side"]
