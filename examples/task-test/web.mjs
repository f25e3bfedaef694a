const response = await fetch(process.env.DB_URL)
console.log(`started after ${await response.text()} migrations`)
setInterval(() => {}, 1000)
