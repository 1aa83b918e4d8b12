"""What the words around a block say about it: to be run, printed output, done already, or not to be run.

English mostly, with the usual words of a few other languages. Only the line before a block and the one after it count, and
a weak sign ("for reference", "you can run this yourself") counts only once some code of this conversation has run.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Intent: TypeAlias = Literal["act", "never", "used", "offered", "output", "said"]
"""`used`: it says this code ran already. `offered`: for the user, some other time. `said`: nothing particular."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_NEVER = _any(
    r"\b(?:do(?:es)? not|don['’]?t|never|not|without|should(?:n['’]t| not))\s+(?:be\s+)?(?:run|running|execut\w+)\b",
    r"\bnot (?:to be|meant to be|for) (?:run|executed|execution)\b",
    r"\bpseudo-?code\b|\bfor illustration\b|\billustrative\b",
    r"\b(?:won['’]t|will not|would not|wouldn['’]t|does(?:n['’]t| not)) work\b",
    r"\b(?:wrong|incorrect|bad|buggy|broken|naive) (?:way|approach|version|code)\b",
    r"\b(?:earlier|previous|original|old|failing|failed) (?:code|script|version|attempt|block)\s*(?:was|is)?\s*:",
    r"^\W*(?:(?:here|this) (?:is|was) |here['’]s )?your (?:code|script|version|attempt|block)\s*(?:was|is)?\s*:",
    r"\b(?:instead of|rather than)(?: this| that| the following)?\s*(?::\W*)?$|^\W*(?:and )?not (?:like )?(?:this|that)\W*$",
    r"^\W*(?:change|replace|modify|remove|delete) (?:this|that|the|these|the following)(?: \w+)? (?:line|part|block|code|call"
    r"|statement)s?\W*$",
    r"\b(?:this|here) (?:is|was) the (?:bug|culprit|faulty (?:line|code)|problem|mistake)\W*$",
    r"\b(?:bug|error|problem|issue|mistake|culprit) (?:was|is|came from|comes from|lies|lay)(?: in| on)? (?:this|the following)"
    r" (?:line|code|part|statement|call|block|snippet)\b",
    r"^\W*(?:before|old|original|wrong|incorrect|buggy|broken|bad)(?: code| version)?\W*$",
    r"\b(?:is|are) not recommended\b\W*$|^\W*you (?:wrote|had|have|used)\W*$",
    r"^\W*(?:please )?(?:avoid|don['’]t do|do not do) (?:this|that|the following|doing this)?\W*$",
    r"^\W*(?:this|that|the following)(?: code| line| call)? (?:(?:(?:would |will )?(?:raises?|throws?)|gives?) (?:an? |the )?\w*"
    r"(?:error|exception)|(?:would|will) (?:fail|crash)|fails|crashes)\b[^.:]{0,40}:?\W*$",
    r"\b(?:line|code|part|call) (?:causing|that (?:is )?caus(?:es|ed|ing)|which caus(?:es|ed))"
    r" (?:the|this) (?:error|problem|bug|issue)\W*$",
    r"\bне (?:запускай|выполняй|запускать|выполнять)|\bnon esegui|\bn(?:ã|a)o (?:o )?execut|実行しないで|실행하지",
    r"\bnicht ausf(?:ü|ue)hren|\bf(?:ü|ue)hr\w*\b[^.:\n]{0,60}\bnicht\b[^.:\n]{0,20}\baus\b"
    r"|\bso (?:geht|funktioniert) (?:es|das) nicht",
    r"\b(?:falscher?|schlechter?|alter|urspr(?:ü|ue)nglicher?) (?:weg|ansatz|code|variante|version)\b"
    r"|\bzur (?:illustration|veranschaulichung)\b",
    r"^\W*(?:falsch|vorher|incorrecto|incorrect|mal|avant|mauvais|faux|antes|errado|sbagliato)\W*$|\bpseudoc(?:ó|o)digo\b",
    r"\bno (?:lo |la )?ejecut|\bforma incorrecta\b|\bmauvaise (?:fa(?:ç|c)on|m(?:é|e)thode|version)\b"
    r"|\b(?:à titre d|pour l)['’]illustration\b",
    r"\bne (?:pas|jamais) (?:l['’])?(?:ex(?:é|e)cut|lanc)|\bn(?:['’]|e l['’]|e )(?:ex(?:é|e)cut\w+|lanc\w+) (?:pas|jamais)\b",
    r"(?:不要|请勿|切勿|(?<![分特个级类])别|不应)(?:直接|再)?(?:运行|执行)"
    r"|伪代码|疑似コード|의사 ?코드|псевдокод|仅(?:作|用于|为)(?:示例|演示|说明)",
    r"错误的?(?:写法|做法|代码|示例|方式|版本|示范)|(?:原来|原始|之前|修改前|有问题)的?(?:代码|写法|版本)?(?:如下|是)?[:：]\W*$",
)
_NO_BAN = _any(r"\brun(?:ning)? out\b", r"\b(?:can(?:no|['’])t|unable|impossible|hard|difficult)\b[^.]{0,60}\bwithout \w+")
_GOES_ON = _any(r"(?:so|now|therefore|thus|instead)\W*$")
_CODE_WORD = r"\b(?:code|script|query|commands?|snippet|program|approach|steps?)\b"
_USED = _any(
    _CODE_WORD + r"[^.:\n]{0,40}?\b(?<!\bbe )(?:used|ran|executed|wrote)\b",
    r"\b(?:i|we)(?:['’]ve| have| had)? (?:just |already )?(?:used|ran|executed)\b"
    r"|\b(?:i|we)(?:['’]ve| have| had) (?:just |already )?run\b",
    r"\bfor (?:reference|completeness|transparency|the record|your records)\b",
    r"\b(?:used|executed|ran) (?:the following|this) (?:python |bash )?(?:code|script)\b",
    r"\bhow (?:i|we) (?:got|computed|calculated|did|found|arrived|obtained)\b",
    r"\bcode behind\b|\brecap\b",
    r"\bverwendete[rn]?\b.*\bcode|\bcode\b.*\bverwendet\b|\bc(?:ó|o)digo (?:que )?(?:utilizado|us(?:é|ado))",
    r"\bcode (?:que j['’]ai )?utilis(?:é|e)\b|使用的代码|所用代码|仅供参考|使用したコード",
)
_OFFERED = _any(
    r"\bif you(?:['’]d| would)? (?:want|like|prefer|need|wish|ever)\b",
    r"\b(?:reproduce|replicate|verify|check|repeat|rerun|re-run) (?:this|these|it|the|my)\b",
    r"\byou (?:can|could|may|might)(?: also| then)? (?:run|use|execute|try|save|adapt|extend)\b",
    r"\bone (?:can|could|might|would) (?:also )?(?:run|use|do|write|try)\b",
    r"\b(?:yourself|locally|on your (?:own )?(?:machine|computer|side)|later)\b",
    r"\balternatively\b|\b(?:full|complete) (?:code|script)\b|\bfor example\b|\be\.g\.",
)
_OUTPUT_LEAD = (
    r"(?:(?:sample|example|expected|the|its|possible|actual|simulated|program|console|printed|resulting|this|which|running|it|code"
    r"|will|would|script)\s+)*"
)
_OUTPUT = _any(
    r"^\W*" + _OUTPUT_LEAD + r"(?:outputs?|results?|stdout|prints?|printed|returns?|produces?|gives?|yields?|shows?|displays?"
    r"|ausgabe|salida|sortie|risultato|saída|resultado|вывод|результат|输出|结果|出力|実行結果|출력|결과)\b[^.]{0,60}[:：]?\W*$",
    r"\b(?:output|result)s?\b"
    r"(?: (?:is|was|will be|would be|looks like|should (?:be|look like)|of (?:this|the)(?: \w+){0,3}))?"
    r"(?: (?:as follows|something like|like this|this|similar to))*\s*[:：]\W*$",
    r"^\W*(?:(?:le|la|les|the|der|die|das|el|los|il|o|os|voici|hier ist|aqu(?:í|i) est(?:á|a)|exemple de"
    r"|ejemplo de|exemplo de|esempio di|erwartete|m(?:ö|oe)gliche"
    r"|mein)\s+){0,3}"
    r"(?:ausgabe|ergebnis(?:se)?|salida|sortie|r(?:é|e)sultats?|resultados?|risultato|sa(?:í|i)da)\b[^.]{0,40}[:：]\W*$",
    r"^\W*(?:程序|代码|脚本|运行|执行|预期|期望|示例|样例|可能的?|上述|实行|実行|期待される|예상|실행)*的?(?:输出|结果|出力|出力結果|출력|결과)"
    r"(?:结果|内容|示例|例|예시|如下|为|是|は|는|은|です|所示)*\s*[:：]\W*$",
    r"\byou(?:['’](?:ll|d)| should| will| would)(?: then)? (?:see|get|obtain)\b[^.]{0,40}[:：]\W*$",
    r"\b(?:got|get|gives|gave|saw) (?:this|the following|an?) (?:error|exception|traceback)s?(?: message)?\s*[:：]\W*$",
    r"^\W*(?:the )?(?:full |exact )?(?:error|exception|traceback)(?: message)?(?: (?:is|was|says|reads))?\s*[:：]\W*$",
    r"\bobservation\s*:?\W*$",
)
_SETS_OUT = (
    r"\b(?:let me|let['’]?s|let us|i['’]?ll|i will|i(?:['’]m| am) going to|i need to|now i|next,? i|ich werde|voy a|je vais)\b"
    r"|让我"
)
_ACT = _any(
    _SETS_OUT,
    r"\b(?:we['’]ll|we will|we need to|i should|i must|i want to|i['’]d like to)\b",
    r"\b(?:first|next|now|then|try(?:ing)?|executing|running)\b",
    r"\b(?:run (?:this|the following|it)|please (?:run|execute)|start by|fix(?:ed)?|corrected|updated|revised|retry|again)\b",
    r"\b(?:lass(?:en)? (?:mich|uns)|vamos a|nous allons)\b|我将|首先|接下来",
)
_RESOLVED = _any(_SETS_OUT)
_RUN_IT = _any(r"\b(?:run|execute) (?:this|the following|it)\b")
_MENDED = _any(r"\b(?:fix|correct|updat|revis)\w*")
_DONE = _any(
    r"\b(?:final answer|in (?:summary|conclusion)|to summari[sz]e|the (?:correct )?answer(?: to \w+ \w+)? is)\b",
    r"\bthe (?:total|result|average|mean|sum|highest|lowest|maximum|minimum)[^.\n]{0,60} (?:is|was|are|were)\b",
    r"\b(?:has|have) been (?:saved|created|generated|written|computed|calculated)\b",
    r"\bi(?:['’]ve| have)? (?:found|computed|calculated|created|saved|analy[sz]ed|plotted)\b",
    r"\bas (?:shown|computed|calculated)\b|\bdone\b|\bcompleted?\b",
    r"\bendergebnis|\brespuesta final|\bréponse finale|最终答案",
)
_AFTER_USED = _any(
    r"^\W*(?:the|this) (?:code|script|snippet|block)?(?: above)?\s*(?:was (?:used|run|executed|what)|is (?:what|the code) (?:i|we)"
    r"|produced the|gave (?:me|us|the)|has (?:already )?(?:been )?(?:run|ran|executed))",
    r"^\W*\(?(?:do not|don['’]t|never) (?:run|execute)\b",
    r"^\W*(?:the|this) (?:code|script|block|snippet)?\s*(?:above )?(?:is (?:not|only|just)|should not|must not|was not) "
    r"(?:be |to be |meant |an? )?(?:run|execut\w+|(?:an? )?illustrat\w+|example)",
)


def _last_words(before: str) -> str:
    """The last paragraph before a block, at most 400 characters of its last two lines."""
    lines = [line for line in before[-1200:].split("\n") if line.strip(" \t#*_-=>`")]
    return "\n".join(lines[-2:])[-400:]


def around(before: str, after: str) -> Intent:
    """What the nearest words say."""
    words = _last_words(before)
    last = words.rsplit("\n", 1)[-1]
    sentence = re.split(r"(?<=[.!?])\s+", last.strip())[-1]
    if _AFTER_USED.search(after.lstrip()[:200]):
        return "used"
    if _NEVER.search(_NO_BAN.sub("", last)) and not _GOES_ON.match(sentence) and not _RESOLVED.search(sentence):
        return "never"
    resolved = bool(_RESOLVED.search(sentence))
    if _USED.search(sentence) and not resolved and not _MENDED.search(sentence):
        return "used"
    if _OUTPUT.search(sentence) and not resolved:
        return "output"
    if _OFFERED.search(sentence) and not resolved:
        return "offered"
    return "act" if _ACT.search(sentence) or _ACT.search(words) else "said"


def resolves(before: str) -> bool:
    """Whether the words before a block plainly announce that it is to be run now."""
    words = _last_words(before)
    return bool(_RESOLVED.search(words) or _RUN_IT.search(words))


def says_done(prose: str) -> bool:
    """Whether the words of a reply present a finished answer."""
    return bool(_DONE.search(prose[:20_000]))
