"""The rules language of the original: expression text -> typed tree -> Python closures. Pure: no I/O, no clock, no dice.

    parser.parse(text) -> Expression                     check a condition (`.fields`, `.functions`, `.lists` say what it uses)
    parser.parse_value(text) -> Expression               check an expression for a value
    compile.compile_expression(text) -> CompiledExpression             `.matches(context) -> bool`
    compile.compile_value(text) -> CompiledValue                       `.evaluate(context)`, `.text(context) -> str | None`
    known.KNOWN.compiled(text) -> CompiledExpression                   the same, compiled once for all who ask
    program.compile_program(expressions) -> Program      many conditions at once: `.matching(context)` gives those that hold
    context.EvaluationContext(request, facts)            make one a request, give it to every rule
    context.Facts, context.Place                         what is known beside the request
    lists.RuleList.of_addresses / of_hostnames / of_asns what `in $name` looks in
    lists.check_lists(expression, kinds)                 whether the lists that it names are there
    errors.ParseError                                    the only exception for whatever is wrong with a text

text -> lexer, literals, relations, arguments, parser -> syntax_tree -> predicates, compile -> closures; many of these trees ->
program_values, program_code -> the code of a program, program_guards beside it. What may be
said is in `scheme` and `functions` (and, refused by name, in `refused_fields` and `REFUSED_FUNCTIONS`).
"""
