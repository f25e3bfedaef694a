const answer = await fetch(process.env.DB_URL)
console.log(`migrated ${(await answer.text()).trim()}`)
