// Asks its sibling at the address that it was started with.
const response = await fetch(process.env.STUBBORN_URL)
console.log(`answered by ${(await response.text()).trim()}`)
setInterval(() => {}, 1000)
