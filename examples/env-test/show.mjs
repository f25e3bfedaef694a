// Prints what it was given, as JSON.
const names = ['LEVEL', 'FROM_PROJECT', 'FROM_FILE', 'GREETING', 'LITERAL', 'OVERRIDDEN', 'API', 'FALLBACK', 'API_PORT', 'PS']
console.log(JSON.stringify(Object.fromEntries(names.map((name) => [name, process.env[name] ?? null]))))
