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
    "escapes": r"""{{ ['\0', '\101', '\777', '\18', '\a\b\f\v\t', '\/', '\x41\xe9', '\u00e9\u2028', '\U0001F680', '\q\d', '\é\漢\🚀',
'\\n\'', "\"", '\x27\x22\x5c', '\r\n', 'a\
b', 'é"', '%}'] | tojson }}{% if '\x7d' == '}' %}y{% endif %}{% raw %}{{ '\a' }}{% endraw %}{{ "\x7b\x7b" }}""",
    "loops": "{% for i in [1, 2] %}{{ loop.depth }}{{ loop.depth0 }}{% for j in [1] %}{{ loop.depth }}{% endfor %}{% endfor %}",
    "recursive loops": "{% for i in [[1, [2]], 3] recursive %}{{ loop.depth }}{{ loop.depth0 }}{% if i is iterable %}({{ loop(i) }}){% endif %}{% endfor %}",
    "title": "{% for s in ['hello-world foo_bar 3d', \"it's\", 'ÉCOLE ß ǆ ﬁne', 'ΑΣ ΑΣΑ', 'a1b ªx', ''] %}[{{ s.title() }}|{{ s.istitle() }}|"
    "{{ s.title().istitle() }}|{{ s.islower() }}|{{ s.isupper() }}|{{ s.swapcase() }}|{{ s.casefold() }}]{% endfor %}"
    "{{ 'ǅ'.islower() }}{{ 'ǅ'.isupper() }}{{ 'ǅ'.swapcase() }}{{ 'ıİŉſςẞᾳµꭰᎠꮿᏵ'.casefold() | tojson }}",
    "white space": r"""{% set s = '\x1c a\x1d\x1f b\u3000' %}{{ [s.strip(), s.lstrip(), s.rstrip(), s.split(), s.rsplit(), s.split(none, 1), s.rsplit(none, 1),
s | trim, ' a  b c '.split(maxsplit=1), ' a  b c '.rsplit(maxsplit=1), 'a--b-c'.split(sep='-', maxsplit=2), 'a-b-c'.rsplit('-', maxsplit=1),
'a'.split(), ''.split(), ''.split(','), 'a,b'.split(',', -1), 'a b'.split(none, 0), ' a b '.rsplit(none, 0), 'xxaxx'.strip('x'), 'xya' | trim('yx')] | tojson }}""",
    "lines": r"""{% set s = 'a\nb\r\nc\rd\x0be\x0cf\x1cg\x1dh\x1ei\x85j\u2028k\u2029\n\nl\n' %}{{ [s.splitlines(), s.splitlines(true), s.splitlines(keepends=true), ''.splitlines(),
s | indent, s | indent('>>'), s | indent(2, true), s | indent(width=1, blank=true), 'a\n' | indent('>', first=true), '' | indent] | tojson }}""",
    "kinds": "{% for s in ['', 'a', '12', '\u0661\u0662', '\u00b2', '\u00bd', '\u4e00', 'a1', '\u0301', '_a1', '1a', ' \\t\\x1c', '\u00e9\u2167', '\u200b', 'a b', '\\n', '\ue000'] %}"
    "{{ [s.isalpha(), s.isdecimal(), s.isdigit(), s.isnumeric(), s.isalnum(), s.isspace(), s.isascii(), s.isprintable(), s.isidentifier(), s.islower(), s.isupper(), s.istitle()] "
    "| map('int') | join }} {% endfor %}",
    "seeking": "{% set s = '\u00e9abcabc' %}{{ [s.find('a', 2), s.find('a', 2, 4), s.find('', 9), s.find('', 7), s.find('', 3, 2), s.rfind('a', 0, -3), s.rfind('a'), s.index('b', -4), "
    "s.rindex('b', 1, 4), s.count('a', 2), s.count(''), s.count('abc', none, none), s.startswith('abc', 1), s.startswith(('x', 'bc'), 2), s.endswith('ab', 0, -1), s.endswith(('x',)), "
    "s.startswith('', 9), [1, 2, 1].index(1), [1, 2, 1].index(1, 1), [1, 2, 1].index(2, -2), {'a': 1}.copy(), [1].count(1)] | tojson }}",
    "tuples": "{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'a'.rpartition('-') | tojson }} {{ 'a-b'.partition('-')[2] }}",
    "filling": "{{ ['a\\tbc\\td'.expandtabs(), 'a\\tbc\\n\\td'.expandtabs(4), 'a\\tb'.expandtabs(0), 'a\\tb'.expandtabs(tabsize=3), 'ab'.center(7, '*'), 'ab' | center(7), 'ab' | center, '-7'.zfill(4)] | tojson }}",
    "filters": "{{ ['a b-c_d \u00e9\u0661!' | wordcount, absent | default(default_value='x'), '' | default('y', boolean=true), absent | default, 0 | d('z', true), none | default('w')] | tojson }}"
    "{{ [('word ' * 60) | truncate, 'one two three four' | truncate(9), 'one two three four' | truncate(9, true), 'one two three' | truncate(9, leeway=0, end='~'), 'one two' | truncate(3)] | tojson }}"
    "{{ ['a b/c?d=\u00e9~_.-&' | urlencode, {'a b': '/ \u00e9', 'c': 1} | urlencode, [('x', 'y z')] | urlencode, 7 | urlencode] | tojson }}"
    "{{ '<a href=\"/x\">\\'&' | e }} {{ '<a href=\"/x\">\\'&' | escape | e }} {{ '<\"' | e | forceescape }}",
    "dates": "{{ strftime_now(format='%d %B') }} {{ strftime_now('%a %A %b %B %c %D %F %G %h %n %p %P %r %R %t %T %u %V %w %x %X %Y %z %Z %f %%') }} "
    "{{ strftime_now('%C %d %e %g %H %I %j %k %l %m %M %S %U %W %y') }} "
    "{{ strftime_now('%-C %-d %-e %-g %-H %-I %-j %-k %-l %-m %-M %-S %-U %-W %-y') }} "
    "{{ strftime_now('%_C %_d %_e %_g %_H %_I %_j %_k %_l %_m %_M %_S %_U %_W %_y') }} "
    "{{ strftime_now('%0C %0d %0e %0g %0H %0I %0j %0k %0l %0m %0M %0S %0U %0W %0y') }}",
    "macros": "{% set z = 'Z' %}{% macro a(x, y=z, w='x') %}{{ x }}{{ y }}{{ w }}{% endmacro %}{{ a(1) }}{{ a(1, w=2) }}"
    "{% macro b(x) %}{{ caller(x) }}{% endmacro %}{% call(v, u='d') b('e') %}{{ v }}{{ u }}{% endcall %}",
    "values within others": r"""{{ [1.0, 1e20, 1e-7, [none, true, 'q\'"\n']] }} {{ (1.5,) }} {{ (1, 2e30) }} {{ {'a': 1e20, 2: ['<' | e]} }}
{{ [1e20] | string }} {{ 1e20 | string }} {{ [] }} {{ {} }} {{ () }} {{ [[range(3)]] }}""",
    "views": "{% set d = {'a': 1e20, 'b': 'x'} %}{{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ {}.items() }} {{ d.items() | list }} "
    "{{ d.items() | length }} {{ d.items() | first }} {% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %} {{ 'a' in d.keys() }} "
    "{{ 'y' if {}.keys() else 'n' }} {{ d.values() | map('string') | join }} {{ d.keys() | sort }} {{ d.items() is mapping }}",
    "safe texts": "{{ ('<' | e) ~ '<' }} {{ '<' ~ ('<' | e) }} {{ ('<' | e) | string }} {{ '<' | safe }} {{ 1 + 1 }}{%+ if true %}{{ '<' | e -}}{%+ endif +%}",
    "numbers": "{{ ['x' | int, 'x' | int(3), '12' | int, '1.7' | int, ' 12 ' | int, '0x1f' | int(base=16), 'ff' | int(0, 16), none | int, 1.9 | int, -1.9 | int, true | int, "
    "[] | int(7), '1_000' | int, '1__0' | int, '_1' | int, '1e3' | int, 'inf' | int, 'nan' | int(1), '-5' | int, '+5' | int, '+-5' | int, '' | int, '0b11' | int(0, 2), "
    "'12abc' | int(default=9), 'x' | float, '1.5' | float, none | float(2.0), ' 1_0.5 ' | float, '1e3' | float, true | float, 'x' | float(none), 7 | float, {} | float] | tojson }}",
    "callables": "{% macro m() %}{% endmacro %}{{ [m, range, raise_exception, joiner, cycler, namespace, lipsum, dict, joiner(), absent, messages, 1, 'a', none, {}, true] "
    "| map('string') | list | length }}{% for v in [range, raise_exception, joiner, namespace, lipsum, dict, absent, 'a'.upper, messages, 1, 'a', none, {}, true, 1.5] %}"
    "{{ v is callable }},{% endfor %}{{ m is callable }} {{ lipsum is defined }}",
    "printf": "{{ '%r' | format('a') }} {{ '%r %s %d %5.2f %x %% %5s|%-5r|' | format('a', 'b', 3, 1.5, 255, [1], 'c') }} {{ '%r' | format([1.0, 'a', none]) }} "
    "{{ '%s %s' | format([1e20], true) }} {{ '%(x)s' | format(x=1) }} {{ '%s%%r' | format('a') }}",
    "formats": "{{ '{} {:>5} {:.2f} {:,} {{!r}} {{%}}'.format('a', 'b', 1.5, 12345) }}",
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


if __name__ == "__main__":
    main()
