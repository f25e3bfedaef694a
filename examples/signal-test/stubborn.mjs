process.on('SIGTERM', () => console.log('got SIGTERM, staying'))
console.log('ready')
setInterval(() => {}, 1000)
