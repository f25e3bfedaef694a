const timer = setInterval(() => console.log('working'), 1000)
console.log('ready')
process.once('SIGINT', () => {
  console.log('got SIGINT, finishing')
  clearInterval(timer)
})
