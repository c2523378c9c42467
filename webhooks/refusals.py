"""What a person is told who asked for something that is not done: a page, where programs get JSON."""

from flask import render_template
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response


class RefusedAct(HTTPException):
    """An act, or its form, that is refused."""

    def __init__(self, code: int, reason: str, title: str = "Not done", back: str = "/") -> None:
        """`title`: of what was asked for; `back`: the page that it is about."""
        super().__init__(reason)
        self.code, self._title, self._back = code, title, back

    def page(self) -> Response:
        """Return the page that says why."""
        text = render_template("refused.html", title=self._title, reason=self.description, back=self._back)
        return Response(text, self.code, content_type="text/html; charset=utf-8")
