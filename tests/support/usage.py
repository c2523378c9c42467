"""What tests of the usage server share."""

from collections.abc import Callable

from cluster.usage.service import UsageService

MakeService = Callable[[str], UsageService]  # of the text of a limits' file
