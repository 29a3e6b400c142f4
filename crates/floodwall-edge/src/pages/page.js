(function () {
})();
