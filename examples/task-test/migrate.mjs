const response = await fetch(process.env.DB_URL, { method: 'POST' })
console.log(`migration ${await response.text()} done`)
