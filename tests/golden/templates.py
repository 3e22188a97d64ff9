r"""Makes tests/golden/templates.json: what `transformers` makes of templates in which Jinja2 and minijinja part ways.

    pip install transformers==5.24.0 jinja2
    python tests/golden/templates.py tests/golden/templates.json
"""

import importlib.metadata
import json
import sys
from datetime import datetime

from transformers.utils import chat_template_utils

NOW = datetime(2024, 7, 26)
MESSAGES = [{"role": "user", "content": "Hi\r\nthere \u00e9"}]
TEMPLATES = {
    "line ends": "a\r\n{% if true %}\r\nb\rc{% endif %}\r{{ 'd\r\ne\rf' ~ 'g\\r\\nh' }}\r\n\r\n",
    "line ends of messages": "{{ messages[0].content }}",
    "iterable": "{% for v in [none, 'a', '', [], [1], {}, 1, true, range(2), absent] %}"
    "{{ v is iterable }},{{ v is sequence }};{% endfor %}{{ absent is iterable }} {{ absent is sequence }}"
    "{{ {'a': 1}.items() is iterable }} {{ {'a': 1}.items() is sequence }} {{ {'a': 1}.keys() is sequence }}"
    "{% if tools is iterable and tools | length > 0 %}some{% else %}none{% endif %}",
    "ranges": "{{ range(3) }} {{ range(1, 4) }} {{ range(4, 0, -2) | list }} {{ range(5)[1] }} {{ range(5)[-1] }} "
    "{{ range(3) | length }} {{ range(0) | length }} {{ 2 in range(3) }} {{ range(3) | last }} {{ range(3) is mapping }} "
    "{% for i in range(1, 8, 3) %}{{ loop.revindex }}:{{ i }} {% endfor %}{{ 'y' if range(0) else 'n' }}{{ range(2, 9, 3) | join }}",
}


class Fixed(datetime):
    @classmethod
    def now(cls, *_):
        return NOW


chat_template_utils.datetime = Fixed


def rendered(template):
    (text,), _ = chat_template_utils.render_jinja_template(
        conversations=[MESSAGES], chat_template=template, tools=None, documents=None
    )
    return text


def main():
    (target,) = sys.argv[1:]
    cases = [{"name": n, "template": t, "text": rendered(t)} for n, t in TEMPLATES.items()]
    golden = {
        "made_by": "tests/golden/templates.py",
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "jinja2")},
        "messages": MESSAGES,
        "templates": cases,
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


main()
