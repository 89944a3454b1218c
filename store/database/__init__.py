"""Connections to the catalog's database."""

from store.database.database import WRITES, AddressUnusable, CatalogUnusable, Database

__all__ = ["WRITES", "AddressUnusable", "CatalogUnusable", "Database"]
