"""Telling people what they would want to know: by mail, chat or telephone, with Apprise."""
