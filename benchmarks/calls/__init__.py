"""Vendor calls: how many a thousand messages cost, and whether a storm keeps within the vendor's quotas."""
